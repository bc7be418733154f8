package org.sodkeras.core;

import java.util.Arrays;

/** Medians and percentiles as NumPy computes them. */
final class Statistics {
    private Statistics() {}

    static double median(double[] values) {
        return percentile(values, 50);
    }

    /** Between two values, linear. */
    static double percentile(double[] values, double percent) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        double position = percent / 100 * (sorted.length - 1);
        int below = (int) position;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
    }
}
