package org.sodkeras.core;

import java.util.Arrays;

/**
 * The mean over the covered pixels, for pictures that shrink along both axes: at most one step of 255 from
 * {@code cv2.resize} with {@code INTER_AREA}, on about one value of ten thousand (measured). A picture that is smaller
 * than the target along an axis is resized bilinearly instead; OpenCV has a rule of its own there.
 */
final class AreaResizer implements Resizer {
    private final int width;
    private final int height;
    private final BilinearResizer bilinear;
    private final double[] sums;

    AreaResizer(int width, int height) {
        this.width = width;
        this.height = height;
        bilinear = new BilinearResizer(width, height);
        sums = new double[3 * width];
    }

    @Override
    public void resize(Picture source, byte[] rgb) {
        if (source.width < width || source.height < height) {
            bilinear.resize(source, rgb);
            return;
        }
        double stepDown = (double) source.height / height;
        int at = 0;
        for (int y = 0; y < height; y++) {
            Arrays.fill(sums, 0);
            double top = y * stepDown;
            double bottom = (y + 1) * stepDown;
            for (int row = (int) top; row < source.height && row < bottom; row++) {
                addRow(source, row, Math.min(bottom, row + 1) - Math.max(top, row));
            }
            double area = stepDown * source.width / width;
            for (double sum : sums) {
                rgb[at++] = (byte) Math.min(255, (int) Math.rint(sum / area));
            }
        }
    }

    private void addRow(Picture source, int row, double weightDown) {
        double stepAcross = (double) source.width / width;
        int start = row * source.width;
        for (int x = 0; x < width; x++) {
            double left = x * stepAcross;
            double right = (x + 1) * stepAcross;
            double red = 0;
            double green = 0;
            double blue = 0;
            for (int column = (int) left; column < source.width && column < right; column++) {
                double weight = Math.min(right, column + 1) - Math.max(left, column);
                int pixel = source.argb[start + column];
                red += weight * (pixel >> 16 & 255);
                green += weight * (pixel >> 8 & 255);
                blue += weight * (pixel & 255);
            }
            sums[3 * x] += weightDown * red;
            sums[3 * x + 1] += weightDown * green;
            sums[3 * x + 2] += weightDown * blue;
        }
    }
}
