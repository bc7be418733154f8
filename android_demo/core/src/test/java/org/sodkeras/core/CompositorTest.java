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
    public void mapOverlayCutOutAndColourArePythons() throws Exception {
        for (String name : Goldens.CASES) {
            Map<String, Goldens.Array> golden = Goldens.arrays(name);
            assertArrayEquals(name, golden.get("grey").picture().argb, draw(name, golden, Look.MAP, null).argb);
            assertArrayEquals(name, golden.get("overlay").picture().argb, draw(name, golden, Look.OVERLAY, null).argb);
            assertArrayEquals(name, golden.get("cut_out").picture().argb, draw(name, golden, Look.CUT_OUT, null).argb);
            assertArrayEquals(
                    name,
                    golden.get("replaced").picture().argb,
                    draw(name, golden, Look.REPLACE, Background.colour(COLOUR)).argb);
        }
    }

    @Test
    public void blurIsPythonsToAStep() throws Exception {
        for (String name : Goldens.CASES) {
            Map<String, Goldens.Array> golden = Goldens.arrays(name);
            Picture photo = golden.get("picture").picture();
            Background background = Background.blurred(photo, PipelineTest.run(name, golden).map);
            int[] expected = golden.get("blurred").picture().argb;
            int[] actual = draw(name, golden, Look.BLUR, background).argb;
            int different = 0;
            for (int i = 0; i < expected.length; i++) {
                for (int shift = 0; shift <= 24; shift += 8) {
                    int difference = Math.abs((expected[i] >> shift & 255) - (actual[i] >> shift & 255));
                    assertTrue(name + " pixel " + i + ": " + difference, difference <= 1);
                    different += difference;
                }
            }
            assertTrue(name + ": " + different, different <= expected.length / 100);
        }
    }

    private static Picture draw(String name, Map<String, Goldens.Array> golden, Look look, Background background)
            throws Exception {
        Picture photo = golden.get("picture").picture();
        Picture result = new Picture(photo.width, photo.height);
        new Compositor(photo, PipelineTest.run(name, golden).map, look, background).draw(result);
        return result;
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
        Compositor compositor = new Compositor(photo, map, Look.MAP, null);
        Picture result = new Picture(3, 3);
        compositor.draw(result);
        map.values[0] = 1;
        compositor.draw(result);
        assertEquals(0xffffffff, result.argb[0]);
    }

    @Test(expected = IllegalArgumentException.class)
    public void aLookWithoutItsBackgroundIsRefused() {
        new Compositor(new Picture(1, 1), new SaliencyMap(1, 1, new float[1]), Look.BLUR, null);
    }
}
