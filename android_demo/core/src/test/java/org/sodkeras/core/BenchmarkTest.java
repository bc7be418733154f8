package org.sodkeras.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Collections;
import java.util.Iterator;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** The exported table joins that of sodkeras benchmark, and its numbers are computed as there. */
public class BenchmarkTest {
    @Test
    public void theTableIsTheOneThatSodkerasWrites() throws Exception {
        BenchmarkRow row = new BenchmarkRow(
                "u2netp", "static_wi8_ai8", "320x320", 1.2341, 4, 20, 1.501, 33.0, 40.259, 31.5, 0.1, 34.63,
                "a \"fast\" one", "Android 14 (API 34), a phone");
        assertEquals(Goldens.text("benchmark.csv"), BenchmarkRow.csv(Collections.singletonList(row)));
    }

    @Test
    public void percentilesAreNumPys() throws Exception {
        JSONObject golden = new JSONObject(Goldens.text("times.json"));
        JSONArray values = golden.getJSONArray("times");
        double[] times = new double[values.length()];
        for (int i = 0; i < times.length; i++) {
            times[i] = values.getDouble(i);
        }
        JSONObject percentiles = golden.getJSONObject("percentiles");
        assertEquals(5, percentiles.length());
        for (Iterator<?> keys = percentiles.keys(); keys.hasNext(); ) {
            String percent = (String) keys.next();
            double actual = Statistics.percentile(times, Double.parseDouble(percent));
            assertEquals(percent, percentiles.getDouble(percent), actual, 1e-9);
        }
    }

    @Test
    public void warmUpRunsAreNotMeasured() throws Exception {
        ModelMetadata model = Goldens.metadata("dark_int8");
        FakeNetwork slowAtFirst = new FakeNetwork(model) {
            @Override
            public void invoke() throws ModelException {
                super.invoke();
                try {
                    Thread.sleep(invocations <= 2 ? 300 : 0);
                } catch (InterruptedException error) {
                    throw new AssertionError(error);
                }
            }
        };
        BenchmarkRow row = Benchmark.measure(
                new Pipeline(model, slowAtFirst), Benchmark.noise(), 5, 2, 0.1, 1, "cpu", "system");
        assertEquals(7, slowAtFirst.invocations);
        assertTrue(String.valueOf(row.inferenceMedian), row.inferenceMedian < 100);
        assertTrue(row.totalMedian > row.inferenceMedian);
    }

    @Test
    public void framesPerSecondAreThoseOfTheLastFew() {
        FrameRate rate = new FrameRate(3);
        assertEquals(0, rate.frame(0), 0);
        assertEquals(1, rate.frame(1_000_000_000L), 1e-9);
        assertEquals(1, rate.frame(2_000_000_000L), 1e-9);
        assertEquals(2, rate.frame(2_000_000_000L + 0), 1e-9); // 1 s, then 2 s twice: two intervals in one second
        assertEquals(20, rate.frame(2_100_000_000L), 1e-6);
    }
}
