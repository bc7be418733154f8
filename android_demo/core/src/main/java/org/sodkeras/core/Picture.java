package org.sodkeras.core;

/** A picture in memory: pixels as 0xAARRGGBB, row after row, colours not multiplied by alpha. */
public final class Picture {
    public final int width;
    public final int height;
    /** {@code width * height} pixels; the array is the picture's own and may be written to. */
    public final int[] argb;

    public Picture(int width, int height) {
        this(width, height, new int[width * height]);
    }

    public Picture(int width, int height, int[] argb) {
        if (width < 1 || height < 1 || argb.length != width * height) {
            throw new IllegalArgumentException(
                    "A picture has width × height pixels. Received: " + width + "×" + height + ", " + argb.length);
        }
        this.width = width;
        this.height = height;
        this.argb = argb;
    }

    /** The picture reduced, aspect kept, so that its longer side has at most so many pixels; itself if it has. */
    public Picture reduced(int longerSide) {
        double scale = (double) longerSide / Math.max(width, height);
        if (scale >= 1) {
            return this;
        }
        Picture result = new Picture(
                Math.max(1, (int) Math.round(width * scale)), Math.max(1, (int) Math.round(height * scale)));
        byte[] rgb = new byte[3 * result.argb.length];
        new AreaResizer(result.width, result.height).resize(this, rgb);
        for (int i = 0; i < result.argb.length; i++) {
            result.argb[i] = 0xff000000 | (rgb[3 * i] & 255) << 16 | (rgb[3 * i + 1] & 255) << 8 | rgb[3 * i + 2] & 255;
        }
        return result;
    }

    /** Lays transparent pixels over white, as sodkeras does with pictures that it reads. */
    public void layOverWhite() {
        for (int i = 0; i < argb.length; i++) {
            int alpha = argb[i] >>> 24;
            if (alpha == 255) {
                continue;
            }
            int opaque = 0xff;
            for (int shift = 16; shift >= 0; shift -= 8) {
                opaque = opaque << 8 | ((argb[i] >> shift & 255) * alpha + 255 * (255 - alpha) + 127) / 255;
            }
            argb[i] = opaque;
        }
    }

    /** The picture upright: turned and mirrored as an EXIF orientation from 1 to 8 says; itself for any other. */
    public Picture upright(int exifOrientation) {
        if (exifOrientation < 2 || exifOrientation > 8) {
            return this;
        }
        boolean turned = exifOrientation >= 5;
        Picture result = turned ? new Picture(height, width) : new Picture(width, height);
        for (int y = 0, at = 0; y < height; y++) {
            for (int x = 0; x < width; x++, at++) {
                boolean fromRight = exifOrientation == 2 || exifOrientation == 3
                        || exifOrientation == 7 || exifOrientation == 8;
                boolean fromBelow = exifOrientation == 3 || exifOrientation == 4
                        || exifOrientation == 6 || exifOrientation == 7;
                int across = fromRight ? width - 1 - x : x;
                int down = fromBelow ? height - 1 - y : y;
                result.argb[turned ? across * height + down : down * width + across] = argb[at];
            }
        }
        return result;
    }
}
