package org.sodkeras.demo;

import android.content.Context;
import android.content.SharedPreferences;
import android.os.Build;
import org.sodkeras.core.Accelerator;
import org.sodkeras.core.Look;
import org.sodkeras.core.Selection;

/** What a person chose, kept between visits. A choice that this build or phone does not have becomes the default. */
final class Settings {
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

    /** The model that a person chose for all screens; null if each use has its own. */
    BundledModel chosenModel() {
        return store.find(values.getString("file", ""));
    }

    /** The chosen model, or the use's own, or else the quickest; null if the app holds none. */
    BundledModel model(Use use) {
        for (BundledModel model : new BundledModel[] {chosenModel(), store.find(use.usualFile)}) {
            if (model != null) {
                return model;
            }
        }
        BundledModel quickest = null;
        for (BundledModel model : store.models) {
            if (quickest == null || model.metadata.quickness() > quickest.metadata.quickness()) {
                quickest = model;
            }
        }
        return quickest;
    }

    /** What the engine shall run; null if the app holds no model. */
    Selection selection(Use use) {
        BundledModel model = model(use);
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

    /** Null gives each use its own again. */
    void choose(BundledModel model) {
        values.edit().putString("file", model == null ? null : model.file).apply();
    }

    void choose(Accelerator accelerator) {
        values.edit().putString("accelerator", accelerator.name()).apply();
    }

    void chooseThreads(int threads) {
        values.edit().putInt("threads", threads).apply();
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
