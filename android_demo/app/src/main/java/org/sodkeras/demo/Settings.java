package org.sodkeras.demo;

import android.content.Context;
import android.content.SharedPreferences;
import android.os.Build;
import org.sodkeras.core.Accelerator;
import org.sodkeras.core.Look;
import org.sodkeras.core.Selection;

/** What a person chose, kept between visits. A choice that this build or phone does not have becomes the default. */
final class Settings {
    /** Of the networks that come with sodkeras: far better than the CSNets, half the work of the best. */
    private static final String DEFAULT_FILE = "u2netp_pruned_224_int8.tflite";
    private static final int DEFAULT_THREADS = 4; // more reach into a phone's slow cores

    private final SharedPreferences values;
    private final ModelStore store;

    Settings(Context context, ModelStore store) {
        values = context.getSharedPreferences("settings", Context.MODE_PRIVATE);
        this.store = store;
    }

    static int cores() {
        return Math.max(1, Runtime.getRuntime().availableProcessors());
    }

    /** The chosen model, or the default, or else the quickest; null if the app holds none. */
    BundledModel model() {
        for (String file : new String[] {values.getString("file", DEFAULT_FILE), DEFAULT_FILE}) {
            if (store.find(file) != null) {
                return store.find(file);
            }
        }
        BundledModel chosen = null;
        for (BundledModel model : store.models) {
            if (chosen == null || model.metadata.quickness() > chosen.metadata.quickness()) {
                chosen = model;
            }
        }
        return chosen;
    }

    /** What the engine shall run; null if the app holds no model. */
    Selection selection() {
        BundledModel model = model();
        return model == null ? null : new Selection(model.file, threads(), accelerator());
    }

    int threads() {
        return Math.min(values.getInt("threads", DEFAULT_THREADS), cores());
    }

    Accelerator accelerator() {
        String name = values.getString("accelerator", "");
        for (Accelerator accelerator : Accelerator.values()) {
            if (accelerator.name().equals(name) && Build.VERSION.SDK_INT >= accelerator.lowestApi) {
                return accelerator;
            }
        }
        return Accelerator.XNNPACK;
    }

    void choose(BundledModel model, int threads, Accelerator accelerator) {
        values.edit()
                .putString("file", model.file)
                .putInt("threads", threads)
                .putString("accelerator", accelerator.name())
                .apply();
    }

    Look look() {
        String name = values.getString("look", "");
        for (Look look : Look.values()) {
            if (look.name().equals(name)) {
                return look;
            }
        }
        return Look.OVERLAY;
    }

    void choose(Look look) {
        values.edit().putString("look", look.name()).apply();
    }

    /** What replaces the background, 0xRRGGBB. */
    int colour() {
        return values.getInt("colour", 0xffffff);
    }

    void chooseColour(int rgb) {
        values.edit().putInt("colour", rgb).apply();
    }
}
