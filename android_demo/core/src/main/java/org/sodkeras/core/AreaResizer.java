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
    private int[] pixels = new int[0];
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
    public void resize(final Picture source, byte[] rgb) {
        if (source.width < width || source.height < height) {
            bilinear.resize(source, rgb);
            return;
        }
        shrink(source.width, source.height, rgb, new Rows() {
            @Override
            public void row(int y, int[] out) {
                System.arraycopy(source.argb, y * source.width, out, 0, source.width);
            }
        });
    }

    /** A picture that is given a row at a time, from the top; the same row may be asked for twice in a row. */
    interface Rows {
        /** Writes row {@code y} to {@code out}. */
        void row(int y, int[] out);
    }

    /** The same for a picture that is nowhere smaller than the result, and need not be in memory. */
    void shrink(int fromWidth, int fromHeight, byte[] rgb, Rows source) {
        if (pixels.length != fromWidth) {
            pixels = new int[fromWidth];
        }
        if (fromWidth % width == 0 && fromHeight % height == 0) {
            sum(fromWidth, fromHeight, rgb, source);
        } else {
            average(fromWidth, fromHeight, rgb, source);
        }
    }

    private void sum(int fromWidth, int fromHeight, byte[] rgb, Rows source) {
        int stepAcross = fromWidth / width;
        int stepDown = fromHeight / height;
        boolean halved = stepAcross == 2 && stepDown == 2;
        float share = 1f / (stepAcross * stepDown);
        int[] whole = new int[3 * width];
        int at = 0;
        for (int y = 0; y < height; y++) {
            Arrays.fill(whole, 0);
            for (int i = 0; i < stepDown; i++) {
                source.row(y * stepDown + i, pixels);
                for (int x = 0; x < fromWidth; x++) {
                    int cell = 3 * (x / stepAcross);
                    whole[cell] += pixels[x] >> 16 & 255;
                    whole[cell + 1] += pixels[x] >> 8 & 255;
                    whole[cell + 2] += pixels[x] & 255;
                }
            }
            for (int sum : whole) {
                rgb[at++] = halved ? (byte) (sum + 2 >> 2) : rounded(sum * share);
            }
        }
    }

    private void average(int fromWidth, int fromHeight, byte[] rgb, Rows source) {
        if (fromWidth != sourceWidth || fromHeight != sourceHeight) {
            across = new Cells(fromWidth, width);
            down = new Cells(fromHeight, height);
            sourceWidth = fromWidth;
            sourceHeight = fromHeight;
        }
        int at = 0;
        for (int y = 0; y < height; y++) {
            Arrays.fill(sums, 0);
            float[] weights = down.weights[y];
            for (int i = 0; i < weights.length; i++) {
                source.row(down.first[y] + i, pixels);
                averageRow();
                for (int x = 0; x < row.length; x++) {
                    sums[x] += weights[i] * row[x];
                }
            }
            for (float sum : sums) {
                rgb[at++] = rounded(sum);
            }
        }
    }

    private void averageRow() {
        int at = 0;
        for (int x = 0; x < width; x++) {
            float red = 0;
            float green = 0;
            float blue = 0;
            int start = across.first[x];
            float[] weights = across.weights[x];
            for (int i = 0; i < weights.length; i++) {
                int pixel = pixels[start + i];
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
