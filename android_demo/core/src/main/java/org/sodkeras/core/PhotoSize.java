package org.sodkeras.core;

/** How far a photo must be reduced while it is decoded, so that it fits into memory. */
public final class PhotoSize {
    /** More pixels than this are never kept: a quarter of 50 megapixels fits. */
    public static final int MOST_PIXELS = 13_000_000;
    /** The decoder's copy, ours, and a third while the photo is turned upright. */
    private static final int BYTES_PER_PIXEL = 12;

    private PhotoSize() {}

    /** How many pixels a photo may have, given the memory that the app may use, of which a third is left free. */
    public static int pixelsFor(long bytes) {
        return (int) Math.max(1, Math.min(MOST_PIXELS, bytes / 3 * 2 / BYTES_PER_PIXEL));
    }

    /** The smallest power of two (what the decoder takes) that brings width × height to at most so many pixels. */
    public static int sampleSize(int width, int height, int mostPixels) {
        int size = 1;
        while (ceil(width, size) * ceil(height, size) > mostPixels) {
            size *= 2;
        }
        return size;
    }

    private static long ceil(long value, int divisor) {
        return (value + divisor - 1) / divisor;
    }
}
