package org.sodkeras.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import java.util.Map;
import org.junit.Test;

/** What the app shows and saves is what Python makes of the same map. */
public class CompositorTest {
    private static final int COLOUR = 10 << 16 | 200 << 8 | 90;

    @Test
    public void mapOverlayAndRawCutOutArePythons() throws Exception {
        for (String name : Goldens.CASES) {
            Map<String, Goldens.Array> golden = Goldens.arrays(name);
            assertArrayEquals(name, golden.get("grey").picture().argb, draw(name, golden, Look.MAP, false).argb);
            assertArrayEquals(name, golden.get("overlay").picture().argb, draw(name, golden, Look.OVERLAY, false).argb);
            assertArrayEquals(name, golden.get("raw").picture().argb, draw(name, golden, Look.CUT_OUT, false).argb);
        }
    }

    @Test
    public void cutOutColourAndBlurArePythonsToAStep() throws Exception {
        for (String name : Goldens.CASES) {
            Map<String, Goldens.Array> golden = Goldens.arrays(name);
            assertNear(name, golden.get("cut_out").picture(), draw(name, golden, Look.CUT_OUT, true));
            assertNear(name, golden.get("replaced").picture(), draw(name, golden, Look.REPLACE, true));
            assertNear(name, golden.get("blurred").picture(), draw(name, golden, Look.BLUR, true));
        }
    }

    private static void assertNear(String name, Picture expected, Picture actual) {
        int different = 0;
        for (int i = 0; i < expected.argb.length; i++) {
            assertEquals(expected.argb[i] >>> 24, actual.argb[i] >>> 24);
            for (int shift = 0; shift < 24; shift += 8) {
                int difference = Math.abs((expected.argb[i] >> shift & 255) - (actual.argb[i] >> shift & 255));
                assertTrue(name + " pixel " + i + ": " + difference, difference <= 1);
                different += difference;
            }
        }
        assertTrue(name + ": " + different, different <= expected.argb.length / 20);
    }

    private static Picture draw(String name, Map<String, Goldens.Array> golden, Look look, boolean clean)
            throws Exception {
        Picture photo = golden.get("picture").picture();
        SaliencyMap map = PipelineTest.run(name, golden).map;
        Background background = look == Look.BLUR ? Background.blurred(photo, map) : Background.colour(COLOUR);
        Picture result = new Picture(photo.width, photo.height);
        new Compositor(photo, map, look, background, clean ? Foreground.of(photo, map) : null).draw(result);
        return result;
    }

    @Test
    public void theOldBackgroundLeavesTheEdges() {
        Picture photo = new Picture(640, 480);
        SaliencyMap map = new SaliencyMap(32, 24, new float[32 * 24]);
        for (int i = 0; i < map.values.length; i++) {
            map.values[i] = i % 32 < 16 ? 1 : 0;
        }
        float[] row = new float[640];
        map.at(640, 480).row(240, row);
        for (int i = 0; i < photo.argb.length; i++) {
            float share = row[i % 640];
            photo.argb[i] = 0xff000000 | Math.round(128 * share + 20 * (1 - share)) << 16
                    | Math.round(128 * share + 220 * (1 - share)) << 8 | Math.round(128 * share + 30 * (1 - share));
        }
        int[] raw = new int[640];
        int[] clean = new int[640];
        new Compositor(photo, map, Look.CUT_OUT, null, null).row(240, raw);
        new Compositor(photo, map, Look.CUT_OUT, null, Foreground.of(photo, map)).row(240, clean);
        int[] green = new int[2];
        int count = 0;
        for (int x = 0; x < 640; x++) {
            if (raw[x] >>> 24 > 0 && raw[x] >>> 24 < 255) {
                count++;
                green[0] += (raw[x] >> 8 & 255) - (raw[x] >> 16 & 255);
                green[1] += (clean[x] >> 8 & 255) - (clean[x] >> 16 & 255);
            }
        }
        assertTrue(count > 10 && green[0] > 60 * count && green[1] < 25 * count);
    }

    @Test
    public void theObjectsColourDoesNotBleedIntoABlurredBackground() {
        Picture photo = new Picture(600, 400);
        SaliencyMap map = new SaliencyMap(6, 4, new float[24]);
        for (int i = 0; i < photo.argb.length; i++) {
            photo.argb[i] = i % 600 < 300 ? 0xffff0000 : 0xff0000ff;
        }
        for (int i = 0; i < 24; i++) {
            map.values[i] = i % 6 < 4 ? 1 : 0; // salient beyond the red half, so that no red is left over
        }
        Background background = Background.blurred(photo, map);
        int[] row = new int[600];
        background.row(200, row);
        for (int x = 400; x < 600; x++) {
            assertTrue(x + ": " + Integer.toHexString(row[x]), (row[x] >> 16 & 255) <= 1 && (row[x] & 255) >= 254);
        }
    }

    @Test
    public void aBackgroundPictureFillsThePhotoAndKeepsItsAspect() {
        Picture stripes = new Picture(4, 2, new int[] {
            0xff111111, 0xff222222, 0xff333333, 0xff444444, 0xff555555, 0xff666666, 0xff777777, 0xff888888,
        });
        int[] row = new int[2];
        Background.picture(stripes, 2, 2).row(0, row); // the middle two columns, at their own size
        assertArrayEquals(new int[] {0xff222222, 0xff333333}, row);
        Background same = Background.picture(stripes, 4, 2);
        int[] whole = new int[4];
        same.row(1, whole);
        assertArrayEquals(Arrays.copyOfRange(stripes.argb, 4, 8), whole);
        int[] wide = new int[40];
        Background.picture(stripes, 40, 1).row(0, wide);
        assertEquals(0xff333333, wide[0]); // between 0x11 and 0x55, the middle of the left edge
    }

    @Test
    public void aMapThatChangedIsDrawnAfresh() {
        Picture photo = new Picture(3, 3);
        SaliencyMap map = new SaliencyMap(1, 1, new float[] {0});
        Compositor compositor = new Compositor(photo, map, Look.MAP, null, null);
        Picture result = new Picture(3, 3);
        compositor.draw(result);
        map.values[0] = 1;
        compositor.draw(result);
        assertEquals(0xffffffff, result.argb[0]);
    }

    @Test(expected = IllegalArgumentException.class)
    public void aLookWithoutItsBackgroundIsRefused() {
        new Compositor(new Picture(1, 1), new SaliencyMap(1, 1, new float[1]), Look.BLUR, null, null);
    }
}
