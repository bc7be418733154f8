package org.sodkeras.demo;

import android.app.Activity;
import android.media.Image;
import android.view.Surface;
import java.util.concurrent.atomic.AtomicBoolean;
import org.sodkeras.core.FrameRate;
import org.sodkeras.core.LiveFrame;
import org.sodkeras.core.Look;
import org.sodkeras.core.ModelException;
import org.sodkeras.core.Picture;
import org.sodkeras.core.Pipeline;
import org.sodkeras.core.SaliencyEngine;
import org.sodkeras.core.Selection;

/** The camera from its opening to its closing: one frame at a time goes through the engine, others are left out. */
final class LiveRun implements CameraFeed.Listener, SaliencyEngine.Listener<Picture> {
    /** The screen. Called on the main thread, never after {@code stop}. */
    interface Screen {
        void onFrame(Picture result, LiveFrame times, double framesPerSecond);

        void onProblem(String message);
    }

    private static final int RATE_WINDOW = 20;

    private final Activity activity;
    private final Screen screen;
    private final Demo demo;
    private final Selection selection;
    private final CameraFeed feed;
    private final LiveFrame frame = new LiveFrame();
    private final FrameRate rate = new FrameRate(RATE_WINDOW);
    /** Whether the frame's buffers are in use, from the camera's copy until its result is on the screen. */
    private final AtomicBoolean busy = new AtomicBoolean();
    private volatile boolean stopped;
    private volatile Look look;
    private volatile SaliencyEngine.Ticket ticket;

    LiveRun(Activity activity, Screen screen, Selection selection) {
        this.activity = activity;
        this.screen = screen;
        this.selection = selection;
        demo = Demo.of(activity);
        look = demo.settings.look();
        feed = new CameraFeed(activity, this);
    }

    void show(Look chosen) {
        look = chosen;
    }

    /** Gives the camera back. An inference that runs ends by itself, and its result goes nowhere. */
    void stop() {
        stopped = true;
        SaliencyEngine.Ticket last = ticket;
        if (last != null) {
            last.cancel();
        }
        feed.close();
    }

    @Override
    public void onFrame(Image image) {
        if (stopped || !busy.compareAndSet(false, true)) {
            image.close(); // the phone cannot keep up: without this frame the next one is fresh
            return;
        }
        try {
            Image.Plane[] planes = image.getPlanes();
            frame.copy(planes[0].getBuffer(), planes[1].getBuffer(), planes[2].getBuffer());
            frame.describe(
                    image.getWidth(),
                    image.getHeight(),
                    planes[0].getRowStride(),
                    planes[1].getRowStride(),
                    planes[1].getPixelStride(),
                    feed.rotation(displayDegrees()));
        } finally {
            image.close();
        }
        final int colour = demo.settings.colour();
        ticket = demo.engine.submit(
                selection,
                new SaliencyEngine.Work<Picture>() {
                    @Override
                    public Picture run(Pipeline pipeline) throws ModelException {
                        return frame.draw(pipeline, look, colour);
                    }
                },
                this);
    }

    private int displayDegrees() {
        switch (activity.getWindowManager().getDefaultDisplay().getRotation()) {
            case Surface.ROTATION_90:
                return 90;
            case Surface.ROTATION_180:
                return 180;
            case Surface.ROTATION_270:
                return 270;
            default:
                return 0;
        }
    }

    @Override
    public void onResult(Picture result) {
        if (!stopped) {
            screen.onFrame(result, frame, rate.frame(System.nanoTime()));
            busy.set(false);
        }
    }

    @Override
    public void onFailure(ModelException failure) {
        if (!stopped) {
            stop();
            screen.onProblem(failure.getMessage());
        }
    }

    @Override
    public void onFailure(final int message) {
        demo.mainThread.execute(new Runnable() {
            @Override
            public void run() {
                if (!stopped) {
                    stop();
                    screen.onProblem(activity.getString(message));
                }
            }
        });
    }
}
