package org.sodkeras.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import org.junit.Test;

/** A photo of any size fits into the memory that the phone gives the app. */
public class PhotoSizeTest {
    @Test
    public void fiftyMegapixelsAreReduced() {
        int most = PhotoSize.pixelsFor(512L << 20);
        assertEquals(PhotoSize.MOST_PIXELS, most);
        int size = PhotoSize.sampleSize(8192, 6144, most);
        assertEquals(2, size);
        assertTrue(8192 / size * (6144 / size) <= most);
        assertEquals(4, PhotoSize.sampleSize(12000, 9000, most));
    }

    @Test
    public void whatFitsIsLeftAlone() {
        assertEquals(1, PhotoSize.sampleSize(4000, 3250, PhotoSize.MOST_PIXELS));
        assertEquals(2, PhotoSize.sampleSize(4001, 3250, PhotoSize.MOST_PIXELS));
        assertEquals(1, PhotoSize.sampleSize(1, 1, 1));
    }

    @Test
    public void aSmallPhoneGetsFewerPixels() {
        int most = PhotoSize.pixelsFor(64L << 20);
        assertTrue(12L * most <= 64L << 20);
        assertEquals(3728270, most);
        assertEquals(32768, PhotoSize.sampleSize(Integer.MAX_VALUE, 2, 65536));
    }
}
