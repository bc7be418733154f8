package org.sodkeras.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.Test;

/** Photos stand upright and are opaque before they are analysed, and what is saved is what was drawn. */
public class PictureTest {
    /** Where the letters of "ABC / DEF" end up for each EXIF orientation. */
    private static final String[] UPRIGHT = {
        "ABC/DEF", "CBA/FED", "FED/CBA", "DEF/ABC", "AD/BE/CF", "DA/EB/FC", "FC/EB/DA", "CF/BE/AD",
    };

    @Test
    public void everyExifOrientationIsSetUpright() {
        Picture picture = new Picture(3, 2, new int[] {'A', 'B', 'C', 'D', 'E', 'F'});
        for (int orientation = 1; orientation <= 8; orientation++) {
            Picture upright = picture.upright(orientation);
            StringBuilder letters = new StringBuilder();
            for (int i = 0; i < 6; i++) {
                letters.append(i > 0 && i % upright.width == 0 ? "/" : "").append((char) upright.argb[i]);
            }
            assertEquals("orientation " + orientation, UPRIGHT[orientation - 1], letters.toString());
        }
        assertSame(picture, picture.upright(0)); // EXIF's "undefined"
    }

    @Test
    public void transparentPixelsLieOverWhite() {
        Picture picture = new Picture(3, 1, new int[] {0x00123456, 0x80ff0000, 0xff123456});
        picture.layOverWhite();
        assertArrayEquals(new int[] {0xffffffff, 0xffff7f7f, 0xff123456}, picture.argb);
    }

    @Test
    public void reducingKeepsAspectAndColour() {
        Picture picture = new Picture(1000, 10);
        Arrays.fill(picture.argb, 0xff204060);
        Picture reduced = picture.reduced(100);
        assertEquals(100, reduced.width);
        assertEquals(1, reduced.height);
        for (int pixel : reduced.argb) {
            assertEquals(0xff204060, pixel);
        }
        assertSame(picture, picture.reduced(1000));
    }

    @Test
    public void savedPngHoldsEveryPixelAndTheColoursOfTransparentOnes() throws Exception {
        for (String name : Goldens.CASES) {
            Map<String, Goldens.Array> golden = Goldens.arrays(name);
            BufferedImage cutOut = saved(name, golden, Look.CUT_OUT);
            Picture expected = golden.get("raw").picture();
            assertTrue(cutOut.getColorModel().hasAlpha());
            assertArrayEquals(name, expected.argb, pixels(cutOut));
            BufferedImage overlay = saved(name, golden, Look.OVERLAY);
            assertTrue(!overlay.getColorModel().hasAlpha());
            assertArrayEquals(name, golden.get("overlay").picture().argb, pixels(overlay));
        }
    }

    @Test
    public void aPngOfSeveralChunksIsWhole() throws Exception {
        Picture photo = Benchmark.noise(); // which does not compress: about a megabyte
        SaliencyMap map = new SaliencyMap(1, 1, new float[] {1});
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        PngWriter.write(new Compositor(photo, map, Look.CUT_OUT, null, null), photo.width, photo.height, true, png);
        assertTrue(png.size() > 900_000);
        assertArrayEquals(photo.argb, pixels(ImageIO.read(new ByteArrayInputStream(png.toByteArray()))));
    }

    private static BufferedImage saved(String name, Map<String, Goldens.Array> golden, Look look) throws Exception {
        Picture photo = golden.get("picture").picture();
        Compositor compositor = new Compositor(photo, PipelineTest.run(name, golden).map, look, null, null);
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        PngWriter.write(compositor, photo.width, photo.height, look.isTransparent(), png);
        return ImageIO.read(new ByteArrayInputStream(png.toByteArray()));
    }

    private static int[] pixels(BufferedImage image) {
        return image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
    }
}
