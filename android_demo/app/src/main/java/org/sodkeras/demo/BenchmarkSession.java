package org.sodkeras.demo;

import android.os.Build;
import java.io.BufferedReader;
import java.io.FileReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.sodkeras.core.Accelerator;
import org.sodkeras.core.Benchmark;
import org.sodkeras.core.BenchmarkRow;
import org.sodkeras.core.ModelException;
import org.sodkeras.core.Picture;
import org.sodkeras.core.Pipeline;
import org.sodkeras.core.SaliencyEngine;
import org.sodkeras.core.Selection;

/** Times all bundled models, one after the other. Outlives its screen when the phone is turned. Main thread only. */
final class BenchmarkSession {
    /** Shows the session's state, which has changed. */
    interface Screen {
        void update();
    }

    // The state that a screen shows.
    final List<BenchmarkRow> rows = new ArrayList<>();
    /** A sentence for each model that could not be timed. */
    final List<String> problems = new ArrayList<>();
    boolean running;
    /** The file that is timed now. */
    String current = "";

    private final Demo demo;
    private final Picture picture = Benchmark.noise();
    private Screen screen;
    private SaliencyEngine.Ticket ticket;

    BenchmarkSession(Demo demo) {
        this.demo = demo;
    }

    void attach(Screen shown) {
        screen = shown;
    }

    void start() {
        rows.clear();
        problems.clear();
        running = true;
        next(0);
    }

    /** Ends it before the next model: in the background a phone is slow, and the numbers would be wrong. */
    void stop() {
        if (ticket != null) {
            ticket.cancel();
        }
        running = false;
        current = "";
        update();
    }

    private void next(final int index) {
        if (index == demo.models.models.size()) {
            stop();
            return;
        }
        final BundledModel model = demo.models.models.get(index);
        final Selection selection =
                new Selection(model.file, demo.settings.threads(), demo.settings.accelerator());
        current = model.file;
        update();
        ticket = demo.engine.submit(
                selection,
                new SaliencyEngine.Work<BenchmarkRow>() {
                    @Override
                    public BenchmarkRow run(Pipeline pipeline) throws ModelException {
                        return Benchmark.measure(
                                pipeline,
                                picture,
                                Benchmark.RUNS,
                                Benchmark.WARMUP,
                                model.megabytes,
                                selection.threads,
                                cpu(),
                                system(selection.accelerator));
                    }
                },
                new SaliencyEngine.Listener<BenchmarkRow>() {
                    @Override
                    public void onResult(BenchmarkRow row) {
                        rows.add(row);
                        next(index + 1);
                    }

                    @Override
                    public void onFailure(ModelException failure) {
                        problems.add(model.file + ": " + failure.getMessage());
                        next(index + 1);
                    }
                });
    }

    private void update() {
        if (screen != null) {
            screen.update();
        }
    }

    /** What the kernel calls the processor, or else the board's name. */
    static String cpu() {
        try (BufferedReader lines = new BufferedReader(new FileReader("/proc/cpuinfo"))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith("Hardware") || line.startsWith("model name")) {
                    return line.substring(line.indexOf(':') + 1).trim();
                }
            }
        } catch (IOException error) {
            return Build.HARDWARE; // Android may hide the file
        }
        return Build.HARDWARE;
    }

    private static String system(Accelerator accelerator) {
        return "Android " + Build.VERSION.RELEASE + " " + Build.SUPPORTED_ABIS[0] + ", " + Build.MANUFACTURER + " "
                + Build.MODEL + ", " + LiteRtNetwork.VERSION + ", " + accelerator.title;
    }
}
