package org.sodkeras.demo;

import android.Manifest;
import android.app.Activity;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.net.Uri;
import android.os.Bundle;
import android.provider.Settings;
import android.view.View;
import android.view.WindowManager;
import android.widget.Spinner;
import android.widget.TextView;
import org.sodkeras.core.LiveFrame;
import org.sodkeras.core.Look;
import org.sodkeras.core.Picture;
import org.sodkeras.core.Selection;

/** The camera's picture with what is salient in it; the first screen. */
public final class LiveActivity extends Activity implements LiveRun.Screen {
    private static final int ASK_FOR_CAMERA = 1;
    private static final String ASKED = "asked";

    private Demo demo;
    private ResultView result;
    private TextView numbers;
    private TextView message;
    private View allow;
    private LiveRun run;
    private boolean asked;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.live);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        demo = Demo.of(this);
        asked = saved != null && saved.getBoolean(ASKED);
        result = (ResultView) findViewById(R.id.result);
        numbers = (TextView) findViewById(R.id.numbers);
        message = (TextView) findViewById(R.id.message);
        allow = findViewById(R.id.allow);
    }

    @Override
    protected void onSaveInstanceState(Bundle saved) {
        super.onSaveInstanceState(saved);
        saved.putBoolean(ASKED, asked);
    }

    @Override
    protected void onStart() {
        super.onStart();
        Choices.fillLooks((Spinner) findViewById(R.id.look), demo.settings.look(), new Choices.Listener() {
            @Override
            public void onChosen(int index) {
                Look look = Look.values()[index];
                demo.settings.choose(look);
                if (run != null) {
                    run.show(look);
                }
            }
        });
        start();
    }

    @Override
    protected void onStop() {
        stop();
        super.onStop();
    }

    private void start() {
        Selection selection = demo.settings.selection(Use.LIVE);
        numbers.setText("");
        allow.setVisibility(View.GONE);
        say("");
        if (selection == null) {
            say(Messages.noModel(this, demo.models));
        } else if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            run = new LiveRun(this, this, selection);
        } else if (asked) {
            say(getString(R.string.camera_denied));
            allow.setVisibility(View.VISIBLE);
        } else {
            onAllow(allow);
        }
    }

    private void stop() {
        if (run != null) {
            run.stop();
            run = null;
        }
    }

    private void say(String text) {
        message.setText(text);
        message.setVisibility(text.isEmpty() ? View.GONE : View.VISIBLE);
    }

    @Override
    public void onFrame(Picture picture, LiveFrame times, double framesPerSecond) {
        result.show(picture);
        numbers.setText(getString(
                R.string.live_numbers,
                demo.settings.model(Use.LIVE).file,
                demo.settings.accelerator().title,
                times.preMilliseconds,
                times.inferenceMilliseconds,
                times.postMilliseconds,
                framesPerSecond));
    }

    @Override
    public void onProblem(String text) {
        run = null;
        say(text);
    }

    /** The buttons' handlers, named in the layout. */
    public void onAllow(View button) {
        if (asked && !shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)) {
            // Android does not ask a third time; only its settings can give the permission now.
            Uri app = Uri.fromParts("package", getPackageName(), null);
            startActivity(new Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, app));
            return;
        }
        asked = true;
        requestPermissions(new String[] {Manifest.permission.CAMERA}, ASK_FOR_CAMERA);
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {
        stop();
        start();
    }

    public void onPhoto(View button) {
        startActivity(new Intent(this, PhotoActivity.class));
    }

    public void onBenchmark(View button) {
        startActivity(new Intent(this, BenchmarkActivity.class));
    }

    public void onSettings(View button) {
        startActivity(new Intent(this, SettingsActivity.class)); // leaving stops the camera, coming back starts it
    }
}
