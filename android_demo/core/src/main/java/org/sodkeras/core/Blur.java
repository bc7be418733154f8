package org.sodkeras.core;

/** Blurs what is not salient. Pixels count by how little salient they are, so that the object leaves no halo. */
final class Blur {
    /** The longer side of the small picture that is blurred; what is lost, blurring would lose too. */
    private static final int LONGER_SIDE = 256;
    /** Of the box, as a share of the longer side. */
    private static final double RADIUS = 0.03;
    private static final int PASSES = 3; // three boxes are close to a Gaussian
    /** What a wholly salient pixel counts: enough to give its place a colour, too little to be seen. */
    private static final float LEAST_WEIGHT = 1e-3f;

    private Blur() {}

    /** The background of a photo at a reduced size, its aspect kept to a pixel. */
    static Picture background(Picture photo, SaliencyMap map) {
        double scale = Math.min(1, (double) LONGER_SIDE / Math.max(photo.width, photo.height));
        int width = Math.max(1, (int) Math.round(photo.width * scale));
        int height = Math.max(1, (int) Math.round(photo.height * scale));
        byte[] rgb = new byte[3 * width * height];
        new AreaResizer(width, height).resize(photo, rgb);

        SaliencyMap.Rows rows = map.at(width, height);
        float[] salient = new float[width];
        float[][] planes = new float[4][width * height]; // weight, then weight times red, green and blue
        for (int y = 0, at = 0; y < height; y++) {
            rows.row(y, salient);
            for (int x = 0; x < width; x++, at++) {
                float weight = 1 - salient[x] + LEAST_WEIGHT;
                planes[0][at] = weight;
                for (int channel = 0; channel < 3; channel++) {
                    planes[1 + channel][at] = weight * (rgb[3 * at + channel] & 255);
                }
            }
        }
        int radius = Math.max(1, (int) Math.round(RADIUS * Math.max(width, height)));
        float[] scratch = new float[width * height];
        for (float[] plane : planes) {
            for (int pass = 0; pass < PASSES; pass++) {
                boxSums(plane, scratch, height, width, width, 1, radius);
                boxSums(scratch, plane, width, height, 1, width, radius);
            }
        }
        Picture result = new Picture(width, height);
        for (int at = 0; at < result.argb.length; at++) {
            int pixel = 0xff;
            for (int channel = 1; channel < 4; channel++) {
                int value = (int) (planes[channel][at] / planes[0][at] + 0.5f);
                pixel = pixel << 8 | Math.min(255, value);
            }
            result.argb[at] = pixel;
        }
        return result;
    }

    /** Sums over the part of a box that lies in the picture, along lines; the quotient of two planes is a mean. */
    private static void boxSums(
            float[] in, float[] out, int lines, int length, int lineStep, int step, int radius) {
        float share = 1f / (2 * radius + 1); // keeps the numbers small
        for (int line = 0; line < lines; line++) {
            int start = line * lineStep;
            double sum = 0;
            for (int i = 0; i < Math.min(radius, length); i++) {
                sum += in[start + i * step];
            }
            for (int i = 0; i < length; i++) {
                if (i + radius < length) {
                    sum += in[start + (i + radius) * step];
                }
                if (i - radius - 1 >= 0) {
                    sum -= in[start + (i - radius - 1) * step];
                }
                out[start + i * step] = (float) sum * share;
            }
        }
    }
}
