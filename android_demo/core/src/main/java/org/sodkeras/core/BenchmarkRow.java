package org.sodkeras.core;

import java.util.List;

/**
 * A row of the table that {@code sodkeras benchmark --csv} writes, with the same columns. LiteRT's Java interface does
 * not tell operators, delegated operators and partitions, and all models share the app's process, so that none has a
 * peak memory of its own: those columns are empty.
 */
public final class BenchmarkRow {
    static final String[] COLUMNS = {
        "model",
        "numerics",
        "size",
        "megabytes",
        "threads",
        "runs",
        "pre_median_ms",
        "inference_median_ms",
        "inference_p90_ms",
        "inference_min_ms",
        "post_median_ms",
        "total_median_ms",
        "peak_memory_mb",
        "operators",
        "delegated",
        "partitions",
        "cpu",
        "system",
    };

    public final String model;
    public final String numerics;
    public final double inferenceMedian;
    public final double totalMedian;
    private final String[] cells;

    BenchmarkRow(
            String model,
            String numerics,
            String size,
            double megabytes,
            int threads,
            int runs,
            double preMedian,
            double inferenceMedian,
            double inferenceP90,
            double inferenceMin,
            double postMedian,
            double totalMedian,
            String cpu,
            String system) {
        this.model = model;
        this.numerics = numerics;
        this.inferenceMedian = inferenceMedian;
        this.totalMedian = totalMedian;
        cells = new String[] {
            model,
            numerics,
            size,
            decimals(megabytes, 1000),
            String.valueOf(threads),
            String.valueOf(runs),
            decimals(preMedian, 100),
            decimals(inferenceMedian, 100),
            decimals(inferenceP90, 100),
            decimals(inferenceMin, 100),
            decimals(postMedian, 100),
            decimals(totalMedian, 100),
            "",
            "",
            "",
            "",
            cpu,
            system,
        };
    }

    /** The CSV file of some rows, with the header. */
    public static String csv(List<BenchmarkRow> rows) {
        StringBuilder text = new StringBuilder();
        line(text, COLUMNS);
        for (BenchmarkRow row : rows) {
            line(text, row.cells);
        }
        return text.toString();
    }

    private static void line(StringBuilder text, String[] cells) {
        for (int i = 0; i < cells.length; i++) {
            text.append(i == 0 ? "" : ",").append(quoted(cells[i]));
        }
        text.append('\n');
    }

    private static String quoted(String cell) {
        boolean plain = cell.indexOf(',') < 0 && cell.indexOf('"') < 0 && cell.indexOf('\n') < 0;
        return plain ? cell : '"' + cell.replace("\"", "\"\"") + '"';
    }

    private static String decimals(double value, int steps) {
        return String.valueOf(Math.rint(value * steps) / steps);
    }
}
