package org.sodkeras.core;

/**
 * Draws a photo and its map in one of the looks, a row at a time, so that only the photo and the result need memory.
 * Looks are those of {@code sodkeras.pictures}. Not for several threads at a time.
 */
public final class Compositor {
    private static final int[] TINT = {255, 64, 0};
    private static final float STRENGTH = 0.6f;
    private static final float DIMMED = (float) (1 - 0.6 / 2);

    private final Picture photo;
    private final Look look;
    private final Background background;
    private final Foreground foreground;
    private final SaliencyMap.Rows map;
    private final float[] salient;
    private final int[] behind;
    private final int[] row;

    /**
     * @param background what to put behind the object, for the looks that need it; else ignored and may be null.
     * @param foreground the object's own colours in its edges, for cut-outs and before backgrounds; null for the
     *     photo's, where there is no time for better.
     */
    public Compositor(Picture photo, SaliencyMap map, Look look, Background background, Foreground foreground) {
        if (look.needsBackground() && background == null) {
            throw new IllegalArgumentException("The look needs a background. Received: " + look);
        }
        this.photo = photo;
        this.look = look;
        this.background = background;
        this.foreground = foreground;
        this.map = map.at(photo.width, photo.height);
        salient = new float[photo.width];
        behind = new int[look.needsBackground() ? photo.width : 0];
        row = new int[photo.width];
    }

    /** Draws the whole picture into {@code result}, which has the photo's size. Photo and map may have changed. */
    public void draw(Picture result) {
        map.restart();
        for (int y = 0; y < photo.height; y++) {
            row(y, row);
            System.arraycopy(row, 0, result.argb, y * photo.width, photo.width);
        }
    }

    /** Draws row {@code y} into {@code out}: colours not multiplied by alpha. */
    public void row(int y, int[] out) {
        map.row(y, salient);
        if (look.needsBackground()) {
            background.row(y, behind);
        }
        int start = y * photo.width;
        for (int x = 0; x < photo.width; x++) {
            int pixel = photo.argb[start + x];
            float share = salient[x];
            switch (look) {
                case MAP:
                    out[x] = 0xff000000 | level(share) * 0x010101;
                    break;
                case OVERLAY:
                    out[x] = overlay(pixel, share);
                    break;
                case CUT_OUT:
                    out[x] = level(share) << 24 | colour(x, y, pixel, level(share));
                    break;
                default:
                    out[x] = blend(colour(x, y, pixel, level(share)), behind[x], level(share) * (1 / 255f));
            }
        }
    }

    private int colour(int x, int y, int pixel, int level) {
        return foreground == null ? pixel & 0xffffff : foreground.colour(x, y, pixel, level);
    }

    /** A map's value in 8 bits. */
    static int level(float share) {
        return Math.max(0, Math.min(255, (int) Math.rint(share * 255f)));
    }

    private static int overlay(int pixel, float share) {
        float weight = share * STRENGTH;
        float dimmed = luminance(pixel) * DIMMED;
        int result = 0xff;
        for (int channel = 0; channel < 3; channel++) {
            int value = pixel >> 16 - 8 * channel & 255;
            float tinted = value * (1 - weight) + TINT[channel] * weight;
            result = result << 8 | (int) Math.rint(tinted * share + dimmed * (1 - share));
        }
        return result;
    }

    /** BT.601 luminance with weights of 15 bits, as {@code cv2.cvtColor} has them. */
    private static int luminance(int pixel) {
        return (pixel >> 16 & 255) * 9798 + (pixel >> 8 & 255) * 19235 + (pixel & 255) * 3735 + 16384 >> 15;
    }

    private static int blend(int front, int back, float share) {
        int result = 0xff;
        for (int shift = 16; shift >= 0; shift -= 8) {
            float value = (front >> shift & 255) * share + (back >> shift & 255) * (1 - share);
            result = result << 8 | (int) Math.rint(value);
        }
        return result;
    }
}
