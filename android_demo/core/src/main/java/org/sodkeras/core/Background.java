package org.sodkeras.core;

import java.util.Arrays;

/** What an object can be put before, a row at a time. Not for several threads at a time. */
public abstract class Background {
    /** Writes row {@code y}, opaque pixels, to {@code out}. */
    abstract void row(int y, int[] out);

    /** One colour, 0xRRGGBB. */
    public static Background colour(final int rgb) {
        return new Background() {
            @Override
            void row(int y, int[] out) {
                Arrays.fill(out, 0xff000000 | rgb);
            }
        };
    }

    /** A picture that fills width × height: enlarged or reduced, and cut off evenly where its aspect differs. */
    public static Background picture(Picture picture, int width, int height) {
        double scale = Math.min((double) picture.width / width, (double) picture.height / height);
        return new Sampled(picture, width, height, scale * width, scale * height);
    }

    /** A photo's own background, blurred; what the map calls salient does not bleed into it. */
    public static Background blurred(Picture photo, SaliencyMap map) {
        Picture blurred = Blur.background(photo, map);
        return new Sampled(blurred, photo.width, photo.height, blurred.width, blurred.height);
    }

    /** Bilinear samples of the middle of a picture. */
    private static final class Sampled extends Background {
        private final Picture picture;
        private final double top;
        private final double stepDown;
        private final int height;
        private final int[] left;
        private final float[] fraction;

        Sampled(Picture picture, int width, int height, double cropWidth, double cropHeight) {
            this.picture = picture;
            this.height = height;
            top = (picture.height - cropHeight) / 2;
            stepDown = cropHeight / height;
            left = new int[width];
            fraction = new float[width];
            double start = (picture.width - cropWidth) / 2;
            for (int x = 0; x < width; x++) {
                double position = clamp(start + (x + 0.5) * cropWidth / width - 0.5, picture.width);
                left[x] = (int) position;
                fraction[x] = (float) (position - left[x]);
            }
        }

        private static double clamp(double position, int size) {
            return Math.max(0, Math.min(size - 1, position));
        }

        @Override
        void row(int y, int[] out) {
            double position = clamp(top + (Math.min(y, height - 1) + 0.5) * stepDown - 0.5, picture.height);
            int row = (int) position;
            float down = (float) (position - row);
            int upper = row * picture.width;
            int lower = Math.min(row + 1, picture.height - 1) * picture.width;
            for (int x = 0; x < out.length; x++) {
                int first = left[x];
                int second = Math.min(first + 1, picture.width - 1);
                int a = picture.argb[upper + first];
                int b = picture.argb[upper + second];
                int c = picture.argb[lower + first];
                int d = picture.argb[lower + second];
                int pixel = 0xff;
                for (int shift = 16; shift >= 0; shift -= 8) {
                    float above = mix(a >> shift & 255, b >> shift & 255, fraction[x]);
                    float below = mix(c >> shift & 255, d >> shift & 255, fraction[x]);
                    pixel = pixel << 8 | (int) (mix(above, below, down) + 0.5f);
                }
                out[x] = pixel;
            }
        }

        private static float mix(float first, float second, float weight) {
            return first + (second - first) * weight;
        }
    }
}
