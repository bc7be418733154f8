package org.sodkeras.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import org.junit.Test;

/** Camera frames have the right colours and stand upright, whatever layout the phone's camera has. */
public class YuvConverterTest {
    private static final int WIDTH = 10;
    private static final int HEIGHT = 6;

    @Test
    public void coloursAreOpenCvsInEveryLayout() throws Exception {
        Map<String, Goldens.Array> golden = Goldens.arrays("frame");
        int[] expected = golden.get("colours").picture().argb;
        int[] planar = convert(golden, WIDTH, WIDTH / 2, 1, 0).argb.clone();
        for (int i = 0; i < expected.length; i++) {
            for (int shift = 0; shift <= 24; shift += 8) {
                int difference = (expected[i] >> shift & 255) - (planar[i] >> shift & 255);
                assertTrue(i + ": " + difference, Math.abs(difference) <= 1);
            }
        }
        assertArrayEquals("rows with padding", planar, convert(golden, 16, 8, 1, 0).argb);
        assertArrayEquals("chroma interleaved", planar, convert(golden, WIDTH, WIDTH, 2, 0).argb);
        assertArrayEquals("both", planar, convert(golden, 13, 12, 2, 0).argb);
    }

    @Test
    public void rotationIsClockwise() throws Exception {
        Map<String, Goldens.Array> golden = Goldens.arrays("frame");
        Picture upright = new Picture(WIDTH, HEIGHT, convert(golden, WIDTH, 5, 1, 0).argb.clone());
        for (int rotation = 90; rotation <= 270; rotation += 90) {
            Picture turned = convert(golden, WIDTH, 5, 1, rotation);
            assertEquals(rotation == 180 ? WIDTH : HEIGHT, turned.width);
            for (int y = 0; y < HEIGHT; y++) {
                for (int x = 0; x < WIDTH; x++) {
                    int toX = rotation == 90 ? HEIGHT - 1 - y : rotation == 180 ? WIDTH - 1 - x : y;
                    int toY = rotation == 90 ? x : rotation == 180 ? HEIGHT - 1 - y : WIDTH - 1 - x;
                    assertEquals(upright.argb[y * WIDTH + x], turned.argb[toY * turned.width + toX]);
                }
            }
        }
    }

    private static Picture convert(
            Map<String, Goldens.Array> golden, int yStride, int uvStride, int pixelStride, int rotation) {
        YuvConverter converter = new YuvConverter();
        converter.copy(
                plane(golden.get("luma"), yStride, 1),
                plane(golden.get("blue"), uvStride, pixelStride),
                plane(golden.get("red"), uvStride, pixelStride));
        return converter.convert(WIDTH, HEIGHT, yStride, uvStride, pixelStride, rotation);
    }

    /** A camera's buffer: padding holds rubbish, and the last row ends with its last value. */
    private static ByteBuffer plane(Goldens.Array values, int rowStride, int pixelStride) {
        int height = values.shape[0];
        int width = values.shape[1];
        byte[] bytes = new byte[(height - 1) * rowStride + (width - 1) * pixelStride + 1];
        Arrays.fill(bytes, (byte) 77);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                bytes[y * rowStride + x * pixelStride] = values.bytes[y * width + x];
            }
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length);
        buffer.put(bytes).rewind();
        return buffer;
    }
}
