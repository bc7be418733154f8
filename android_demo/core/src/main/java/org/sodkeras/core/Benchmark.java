package org.sodkeras.core;

import java.util.Random;

/** Times a network as {@code sodkeras benchmark} does: pre, inference and post apart, over warm runs. */
public final class Benchmark {
    public static final int RUNS = 20;
    public static final int WARMUP = 3;

    private Benchmark() {}

    /** 640 × 480 pixels of noise, what sodkeras benchmark takes by default (not the same noise). */
    public static Picture noise() {
        Picture picture = new Picture(640, 480);
        Random random = new Random(0);
        for (int i = 0; i < picture.argb.length; i++) {
            picture.argb[i] = 0xff000000 | random.nextInt();
        }
        return picture;
    }

    /**
     * Runs a network {@code warmup + runs} times and keeps the times of the last {@code runs}.
     *
     * @param megabytes the model file's size in 10^6 bytes.
     * @param threads CPU threads that the network was opened with.
     * @param cpu the processor's name.
     * @param system what else a reader needs to know: Android's version, the phone, the accelerator.
     */
    public static BenchmarkRow measure(
            Pipeline pipeline,
            Picture picture,
            int runs,
            int warmup,
            double megabytes,
            int threads,
            String cpu,
            String system)
            throws ModelException {
        double[] pre = new double[runs];
        double[] inference = new double[runs];
        double[] post = new double[runs];
        double[] total = new double[runs];
        float[] row = new float[picture.width];
        for (int run = -warmup; run < runs; run++) {
            Saliency saliency = pipeline.run(picture);
            long start = System.nanoTime();
            SaliencyMap.Rows rows = saliency.map.at(picture.width, picture.height);
            for (int y = 0; y < picture.height; y++) {
                rows.row(y, row);
            }
            double restored = (System.nanoTime() - start) / 1e6;
            if (run >= 0) {
                pre[run] = saliency.preMilliseconds;
                inference[run] = saliency.inferenceMilliseconds;
                post[run] = saliency.readMilliseconds + restored;
                total[run] = pre[run] + inference[run] + post[run];
            }
        }
        ModelMetadata model = pipeline.model;
        return new BenchmarkRow(
                model.name,
                model.numerics,
                model.preprocessing.height + "x" + model.preprocessing.width,
                megabytes,
                threads,
                runs,
                Statistics.median(pre),
                Statistics.median(inference),
                Statistics.percentile(inference, 90),
                Statistics.percentile(inference, 0),
                Statistics.median(post),
                Statistics.median(total),
                cpu,
                system);
    }
}
