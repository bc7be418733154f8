package org.sodkeras.core;

/**
 * The object's own colours where its edge is half transparent, without the old background's: those of
 * {@code sodkeras.pictures.foreground}, to a step of 255. Averages of colours, weighted by how much of each pixel is the
 * object, in four ever smaller neighbourhoods of a reduced photo, and what they do not explain of a pixel.
 */
public final class Foreground {
    private static final int LONGER_SIDE = 512;
    private static final int[] RADII = {51, 17, 6, 2};
    /** Pixels' worth of the colour itself, where hardly anything of the object, or of the background, is near. */
    private static final float TRUST = 1e-3f;

    private final int width;
    private final int height;
    private final double across;
    private final double down;
    private final float[][] front = new float[3][];
    private final float[][] back = new float[3][];

    private Foreground(int width, int height, double across, double down) {
        this.width = width;
        this.height = height;
        this.across = across;
        this.down = down;
    }

    /** What is needed to know the colours of a photo's object. */
    public static Foreground of(Picture photo, SaliencyMap map) {
        double scale = Math.min(1, (double) LONGER_SIDE / Math.max(photo.width, photo.height));
        int width = Math.max(1, (int) Math.rint(photo.width * scale));
        int height = Math.max(1, (int) Math.rint(photo.height * scale));
        byte[] rgb = new byte[3 * width * height];
        byte[] levels = new byte[3 * width * height];
        AreaResizer resizer = new AreaResizer(width, height);
        resizer.resize(photo, rgb);
        final SaliencyMap.Rows rows = map.at(photo.width, photo.height);
        final float[] salient = new float[photo.width];
        resizer.shrink(photo.width, photo.height, levels, new AreaResizer.Rows() {
            @Override
            public void row(int y, int[] out) {
                rows.row(y, salient);
                for (int x = 0; x < out.length; x++) {
                    out[x] = Compositor.level(salient[x]);
                }
            }
        });
        Foreground found = new Foreground(
                width, height, (double) width / photo.width, (double) height / photo.height);
        float[] share = new float[width * height];
        float[] rest = new float[width * height];
        for (int i = 0; i < share.length; i++) {
            share[i] = (levels[3 * i + 2] & 255) / 255f;
            rest[i] = 1 - share[i];
        }
        for (int channel = 0; channel < 3; channel++) {
            float[] colours = new float[share.length];
            for (int i = 0; i < colours.length; i++) {
                colours[i] = rgb[3 * i + channel] & 255;
            }
            found.estimate(channel, colours, share, rest);
        }
        return found;
    }

    private void estimate(int channel, float[] colours, float[] share, float[] rest) {
        float[] foreground = colours;
        float[] background = colours;
        for (int of512 : RADII) {
            int radius = Math.max(1, (int) Math.rint((double) of512 * Math.max(width, height) / LONGER_SIDE));
            float[] front = average(foreground, share, radius);
            float[] back = average(background, rest, radius);
            foreground = new float[colours.length];
            for (int i = 0; i < colours.length; i++) {
                float unexplained = colours[i] - share[i] * front[i] - rest[i] * back[i];
                foreground[i] = Math.max(0, Math.min(255, front[i] + share[i] * unexplained));
            }
            background = back;
            this.front[channel] = front;
            this.back[channel] = back;
        }
    }

    private float[] average(float[] colours, float[] weights, int radius) {
        float[] weighted = new float[colours.length];
        for (int i = 0; i < weighted.length; i++) {
            weighted[i] = colours[i] * weights[i];
        }
        weighted = sums(weighted, radius);
        float[] counted = sums(weights, radius);
        for (int i = 0; i < weighted.length; i++) {
            weighted[i] = (weighted[i] + TRUST * colours[i]) / (counted[i] + TRUST);
        }
        return weighted;
    }

    /** Sums over the part of a square around each pixel that lies in the picture. */
    private float[] sums(float[] values, int radius) {
        double[] wide = new double[values.length];
        for (int y = 0; y < height; y++) {
            double sum = 0;
            int start = y * width;
            for (int x = -radius; x < width; x++) {
                sum += x + radius < width ? values[start + x + radius] : 0;
                sum -= x - radius - 1 >= 0 ? values[start + x - radius - 1] : 0;
                if (x >= 0) {
                    wide[start + x] = sum;
                }
            }
        }
        float[] result = new float[values.length];
        for (int x = 0; x < width; x++) {
            double sum = 0;
            for (int y = -radius; y < height; y++) {
                sum += y + radius < height ? wide[(y + radius) * width + x] : 0;
                sum -= y - radius - 1 >= 0 ? wide[(y - radius - 1) * width + x] : 0;
                if (y >= 0) {
                    result[y * width + x] = (float) sum;
                }
            }
        }
        return result;
    }

    /** A photo's pixel, 0xRRGGBB, whose alpha is {@code level}, in the object's own colour. */
    int colour(int x, int y, int pixel, int level) {
        if (level == 0 || level == 255) {
            return pixel & 0xffffff;
        }
        double right = clamp((x + 0.5) * across - 0.5, width);
        double below = clamp((y + 0.5) * down - 0.5, height);
        int left = (int) right;
        int above = (int) below;
        float acrossShare = (float) (right - left);
        float downShare = (float) (below - above);
        int upper = above * width;
        int lower = Math.min(above + 1, height - 1) * width;
        int next = Math.min(left + 1, width - 1);
        float share = level * (1 / 255f);
        int result = 0;
        for (int channel = 0; channel < 3; channel++) {
            float ours = mix(front[channel], upper, lower, left, next, acrossShare, downShare);
            float theirs = mix(back[channel], upper, lower, left, next, acrossShare, downShare);
            float unexplained = (pixel >> 16 - 8 * channel & 255) - share * ours - (1 - share) * theirs;
            int value = (int) Math.rint(ours + share * unexplained);
            result = result << 8 | Math.max(0, Math.min(255, value));
        }
        return result;
    }

    private static float mix(
            float[] values, int upper, int lower, int left, int next, float across, float down) {
        float above = values[upper + left] * (1 - across) + values[upper + next] * across;
        float below = values[lower + left] * (1 - across) + values[lower + next] * across;
        return above * (1 - down) + below * down;
    }

    private static double clamp(double position, int size) {
        return Math.max(0, Math.min(size - 1, position));
    }
}
