package org.sodkeras.core;

import java.util.Arrays;

/**
 * Resizing by area to the last bit as {@code cv2.resize} does it on 8-bit pictures with {@code INTER_AREA}: the mean
 * over the covered pixels where the picture shrinks along both axes, summed in float, and exactly where each value covers
 * whole pixels.
 */
final class AreaResizer implements Resizer {
    private final int width;
    private final int height;
    private final BilinearResizer bilinear;
    private final float[] row;
    private final float[] sums;
    private int sourceWidth;
    private int sourceHeight;
    private Cells across;
    private Cells down;

    AreaResizer(int width, int height) {
        this.width = width;
        this.height = height;
        bilinear = new BilinearResizer(width, height, true);
        row = new float[3 * width];
        sums = new float[3 * width];
    }

    @Override
    public void resize(Picture source, byte[] rgb) {
        if (source.width < width || source.height < height) {
            bilinear.resize(source, rgb);
        } else if (source.width % width == 0 && source.height % height == 0) {
            sum(source, rgb);
        } else {
            average(source, rgb);
        }
    }

    private void sum(Picture source, byte[] rgb) {
        int stepAcross = source.width / width;
        int stepDown = source.height / height;
        boolean halved = stepAcross == 2 && stepDown == 2;
        float share = 1f / (stepAcross * stepDown);
        int at = 0;
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                for (int shift = 16; shift >= 0; shift -= 8) {
                    int sum = 0;
                    for (int i = 0; i < stepDown; i++) {
                        int start = (y * stepDown + i) * source.width + x * stepAcross;
                        for (int j = 0; j < stepAcross; j++) {
                            sum += source.argb[start + j] >> shift & 255;
                        }
                    }
                    rgb[at++] = halved ? (byte) (sum + 2 >> 2) : rounded(sum * share);
                }
            }
        }
    }

    private void average(Picture source, byte[] rgb) {
        if (source.width != sourceWidth || source.height != sourceHeight) {
            across = new Cells(source.width, width);
            down = new Cells(source.height, height);
            sourceWidth = source.width;
            sourceHeight = source.height;
        }
        int at = 0;
        for (int y = 0; y < height; y++) {
            Arrays.fill(sums, 0);
            float[] weights = down.weights[y];
            for (int i = 0; i < weights.length; i++) {
                averageRow(source, down.first[y] + i);
                for (int x = 0; x < row.length; x++) {
                    sums[x] += weights[i] * row[x];
                }
            }
            for (float sum : sums) {
                rgb[at++] = rounded(sum);
            }
        }
    }

    private void averageRow(Picture source, int y) {
        int at = 0;
        for (int x = 0; x < width; x++) {
            float red = 0;
            float green = 0;
            float blue = 0;
            int start = y * source.width + across.first[x];
            float[] weights = across.weights[x];
            for (int i = 0; i < weights.length; i++) {
                int pixel = source.argb[start + i];
                red += weights[i] * (pixel >> 16 & 255);
                green += weights[i] * (pixel >> 8 & 255);
                blue += weights[i] * (pixel & 255);
            }
            row[at++] = red;
            row[at++] = green;
            row[at++] = blue;
        }
    }

    private static byte rounded(float value) {
        return (byte) Math.min(255, (int) Math.rint(value));
    }

    /** Along one axis, the pixels that each value covers, from {@code first} on, and their weights, of sum 1. */
    private static final class Cells {
        private static final double LEAST = 1e-3; // of a pixel: what covers less is left out

        final int[] first;
        final float[][] weights;

        Cells(int source, int target) {
            first = new int[target];
            weights = new float[target][];
            double scale = (double) source / target;
            for (int i = 0; i < target; i++) {
                double start = i * scale;
                double end = start + scale;
                double extent = Math.min(scale, source - start);
                int lastWhole = Math.min((int) Math.floor(end), source - 1);
                int firstWhole = Math.min((int) Math.ceil(start), lastWhole);
                int before = firstWhole - start > LEAST ? 1 : 0;
                int after = end - lastWhole > LEAST ? 1 : 0;
                float[] cell = new float[before + lastWhole - firstWhole + after];
                Arrays.fill(cell, (float) (1 / extent));
                if (before == 1) {
                    cell[0] = (float) ((firstWhole - start) / extent);
                }
                if (after == 1) {
                    cell[cell.length - 1] = (float) (Math.min(Math.min(end - lastWhole, 1), extent) / extent);
                }
                first[i] = firstWhole - before;
                weights[i] = cell;
            }
        }
    }
}
