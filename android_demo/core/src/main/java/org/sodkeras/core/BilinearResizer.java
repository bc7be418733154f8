package org.sodkeras.core;

/**
 * Bilinear resizing to the last bit as {@code cv2.resize} does it on 8-bit pictures (OpenCV 5.0, measured): weights of
 * 11 bits, rows first, and between the axes four bits are dropped. Nothing is smoothed when a picture shrinks.
 */
final class BilinearResizer implements Resizer {
    private final int width;
    private final int height;
    private final boolean byArea;
    private int sourceWidth;
    private int sourceHeight;
    private Taps across;
    private Taps down;
    private int[] upper;
    private int[] lower;
    private int upperRow;
    private int lowerRow;

    BilinearResizer(int width, int height) {
        this(width, height, false);
    }

    /** With {@code byArea} for what {@code INTER_AREA} makes of pictures that do not shrink along both axes. */
    BilinearResizer(int width, int height, boolean byArea) {
        this.width = width;
        this.height = height;
        this.byArea = byArea;
        upper = new int[3 * width];
        lower = new int[3 * width];
    }

    @Override
    public void resize(Picture source, byte[] rgb) {
        if (source.width != sourceWidth || source.height != sourceHeight) {
            across = byArea ? Taps.byArea(source.width, width) : Taps.alongRows(source.width, width);
            down = byArea ? Taps.byArea(source.height, height) : Taps.downColumns(source.height, height);
            sourceWidth = source.width;
            sourceHeight = source.height;
        }
        upperRow = -1;
        lowerRow = -1;
        int at = 0;
        for (int y = 0; y < height; y++) {
            needRows(source, down.first[y], down.second[y]);
            int weight0 = down.firstInteger[y];
            int weight1 = down.secondInteger[y];
            int[] row0 = upper;
            int[] row1 = down.second[y] == down.first[y] ? upper : lower;
            for (int i = 0; i < row0.length; i++) {
                int sum = (weight0 * (row0[i] >> 4) >> 16) + (weight1 * (row1[i] >> 4) >> 16);
                rgb[at++] = (byte) (sum + 2 >> 2);
            }
        }
    }

    /** Makes {@code upper} and {@code lower} the two source rows; when enlarging, most are there already. */
    private void needRows(Picture source, int first, int second) {
        if (first != upperRow && first == lowerRow) {
            int[] swapped = upper;
            upper = lower;
            lower = swapped;
            lowerRow = upperRow;
            upperRow = first;
        }
        if (first != upperRow) {
            row(source, first, upper);
            upperRow = first;
        }
        if (second != first && second != lowerRow) {
            row(source, second, lower);
            lowerRow = second;
        }
    }

    private void row(Picture source, int y, int[] out) {
        int[] argb = source.argb;
        int start = y * source.width;
        int at = 0;
        for (int x = 0; x < width; x++) {
            int left = argb[start + across.first[x]];
            int right = argb[start + across.second[x]];
            int weight0 = across.firstInteger[x];
            int weight1 = across.secondInteger[x];
            out[at++] = (left >> 16 & 255) * weight0 + (right >> 16 & 255) * weight1;
            out[at++] = (left >> 8 & 255) * weight0 + (right >> 8 & 255) * weight1;
            out[at++] = (left & 255) * weight0 + (right & 255) * weight1;
        }
    }
}
