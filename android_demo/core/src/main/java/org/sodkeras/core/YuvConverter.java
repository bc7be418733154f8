package org.sodkeras.core;

import java.nio.ByteBuffer;

/**
 * A camera's frames, YUV 4:2:0 in three planes with any strides, to upright pictures. Colours are JFIF's: BT.601 with
 * the full range, which Android's cameras give. Its buffers are made once; not for several threads at a time.
 */
public final class YuvConverter {
    private byte[] luma = new byte[0];
    private byte[] blue = new byte[0];
    private byte[] red = new byte[0];
    private Picture picture;

    /**
     * Copies a frame's planes: the frame can be given back to the camera when this returns.
     *
     * @param y luma, {@code yRowStride} bytes from row to row.
     * @param u chroma, blue; half the size along both axes.
     * @param v chroma, red; strides as u.
     */
    public void copy(ByteBuffer y, ByteBuffer u, ByteBuffer v) {
        luma = bytes(y, luma);
        blue = bytes(u, blue);
        red = bytes(v, red);
    }

    private static byte[] bytes(ByteBuffer plane, byte[] reused) {
        byte[] result = reused.length == plane.remaining() ? reused : new byte[plane.remaining()];
        plane.duplicate().get(result);
        return result;
    }

    /**
     * Converts what was copied last.
     *
     * @param width of the frame as the sensor gave it.
     * @param rotation clockwise degrees that make it upright: 0, 90, 180 or 270.
     * @return a picture that the next call overwrites.
     */
    public Picture convert(int width, int height, int yRowStride, int uvRowStride, int uvPixelStride, int rotation) {
        boolean turned = rotation == 90 || rotation == 270;
        int outWidth = turned ? height : width;
        int outHeight = turned ? width : height;
        if (picture == null || picture.width != outWidth || picture.height != outHeight) {
            picture = new Picture(outWidth, outHeight);
        }
        int start = rotation == 90 ? outWidth - 1
                : rotation == 180 ? outWidth * outHeight - 1
                : rotation == 270 ? outWidth * (outHeight - 1) : 0;
        int stepX = rotation == 90 ? outWidth : rotation == 180 ? -1 : rotation == 270 ? -outWidth : 1;
        int stepY = rotation == 90 ? -1 : rotation == 180 ? -outWidth : rotation == 270 ? 1 : outWidth;
        int[] out = picture.argb;
        for (int y = 0; y < height; y++) {
            int at = start + y * stepY;
            for (int x = 0; x < width; x++, at += stepX) {
                int chroma = (y >> 1) * uvRowStride + (x >> 1) * uvPixelStride;
                out[at] = pixel(luma[y * yRowStride + x] & 255, (blue[chroma] & 255) - 128, (red[chroma] & 255) - 128);
            }
        }
        return picture;
    }

    private static int pixel(int y, int u, int v) {
        int scaled = (y << 16) + 32768;
        int r = clamp(scaled + 91881 * v >> 16);
        int g = clamp(scaled - 22554 * u - 46802 * v >> 16);
        int b = clamp(scaled + 116130 * u >> 16);
        return 0xff000000 | r << 16 | g << 8 | b;
    }

    private static int clamp(int value) {
        return Math.max(0, Math.min(255, value));
    }
}
