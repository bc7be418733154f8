package org.sodkeras.core;

/**
 * Where bilinear resizing along one axis takes its two source pixels from, and their weights, as OpenCV's
 * {@code cv2.resize} chooses them: half-pixel centres, positions in double, the fraction then rounded to float.
 *
 * <p>Along a row, a position beyond the first or last pixel takes that pixel alone. Down a column it keeps its two
 * weights, both on the same pixel: the same in exact arithmetic, not after rounding.
 */
final class Taps {
    private static final int ONE = 2048; // 8-bit pictures are resized with weights of 11 bits

    final int[] first;
    final int[] second;
    final float[] firstWeight;
    final float[] secondWeight;
    final int[] firstInteger;
    final int[] secondInteger;

    private Taps(int target) {
        first = new int[target];
        second = new int[target];
        firstWeight = new float[target];
        secondWeight = new float[target];
        firstInteger = new int[target];
        secondInteger = new int[target];
    }

    private static Taps linear(int source, int target, boolean edgesTakeOnePixel) {
        Taps taps = new Taps(target);
        double scale = 1.0 / ((double) target / source);
        for (int i = 0; i < target; i++) {
            float position = (float) ((i + 0.5) * scale - 0.5);
            int left = (int) Math.floor(position);
            boolean outside = left < 0 || left >= source - 1;
            taps.put(i, left, edgesTakeOnePixel && outside ? 0 : position - left, source);
        }
        return taps;
    }

    private void put(int i, int left, float fraction, int source) {
        first[i] = Math.min(Math.max(left, 0), source - 1);
        second[i] = Math.min(Math.max(left + 1, 0), source - 1);
        firstWeight[i] = 1 - fraction;
        secondWeight[i] = fraction;
        firstInteger[i] = (int) Math.rint((1 - fraction) * ONE);
        secondInteger[i] = (int) Math.rint(fraction * ONE);
    }

    static Taps alongRows(int source, int target) {
        return linear(source, target, true);
    }

    static Taps downColumns(int source, int target) {
        return linear(source, target, false);
    }

    /** Of either axis where {@code INTER_AREA} is asked for and the picture does not shrink along both. */
    static Taps byArea(int source, int target) {
        Taps taps = new Taps(target);
        double scale = (double) source / target;
        double inverse = (double) target / source;
        for (int i = 0; i < target; i++) {
            int left = (int) Math.floor(i * scale);
            float fraction = (float) (i + 1 - (left + 1) * inverse);
            boolean whole = fraction <= 0 || left >= source - 1;
            taps.put(i, left, whole ? 0 : fraction - (float) Math.floor(fraction), source);
        }
        return taps;
    }
}
