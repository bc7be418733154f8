package org.sodkeras.demo;

import android.app.Application;
import android.content.Context;
import android.os.Handler;
import android.os.Looper;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.sodkeras.core.SaliencyEngine;

/** What outlives the screens: the bundled models, the settings, the engine, and a thread for files. */
public final class Demo extends Application {
    ModelStore models;
    Settings settings;
    SaliencyEngine engine;
    /** Reads, draws and writes photos, one at a time: two large ones would not fit into memory. */
    final ExecutorService files = Executors.newSingleThreadExecutor();

    private final Handler handler = new Handler(Looper.getMainLooper());
    final Executor mainThread = new Executor() {
        @Override
        public void execute(Runnable work) {
            handler.post(work);
        }
    };

    static Demo of(Context context) {
        return (Demo) context.getApplicationContext();
    }

    @Override
    public void onCreate() {
        super.onCreate();
        models = new ModelStore(getAssets());
        settings = new Settings(this, models);
        engine = new SaliencyEngine(models, mainThread);
    }

    @Override
    public void onTrimMemory(int level) {
        super.onTrimMemory(level);
        if (level >= TRIM_MEMORY_UI_HIDDEN) {
            engine.release(); // after the inference that runs; coming back opens the network again
        }
    }
}
