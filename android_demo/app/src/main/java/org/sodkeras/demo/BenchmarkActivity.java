package org.sodkeras.demo;

import android.app.Activity;
import android.content.ActivityNotFoundException;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import android.view.View;
import android.view.WindowManager;
import android.widget.Button;
import android.widget.TableLayout;
import android.widget.TableRow;
import android.widget.TextView;
import android.widget.Toast;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.sodkeras.core.BenchmarkRow;

/** Times all bundled models on this phone, and exports the table that {@code sodkeras benchmark --csv} writes. */
public final class BenchmarkActivity extends Activity implements BenchmarkSession.Screen {
    private static final int SAVE = 1;
    private static final String FILE = "benchmark.csv";

    private Demo demo;
    private BenchmarkSession session;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.benchmark);
        getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
        demo = Demo.of(this);
        session = (BenchmarkSession) getLastNonConfigurationInstance();
        if (session == null) {
            session = new BenchmarkSession(demo);
        }
        session.attach(this);
    }

    @Override
    public Object onRetainNonConfigurationInstance() {
        return session;
    }

    @Override
    protected void onStart() {
        super.onStart();
        update(); // the settings may have changed
    }

    @Override
    protected void onStop() {
        if (!isChangingConfigurations() && session.running) {
            session.stop();
            session.problems.add(getString(R.string.benchmark_stopped));
            update();
        }
        super.onStop();
    }

    @Override
    protected void onDestroy() {
        session.attach(null);
        super.onDestroy();
    }

    @Override
    public void update() {
        boolean idle = !session.running;
        ((Button) findViewById(R.id.start)).setText(idle ? R.string.benchmark_start : R.string.benchmark_stop);
        findViewById(R.id.start).setEnabled(!demo.models.models.isEmpty());
        findViewById(R.id.settings).setEnabled(idle);
        findViewById(R.id.save).setEnabled(idle && !session.rows.isEmpty());
        findViewById(R.id.share).setEnabled(idle && !session.rows.isEmpty());
        ((TextView) findViewById(R.id.status)).setText(status());
        TableLayout table = (TableLayout) findViewById(R.id.table);
        table.removeAllViews();
        for (BenchmarkRow row : session.rows) {
            TableRow line = new TableRow(this);
            addCell(line, row.model + "\n" + row.numerics);
            addCell(line, getString(R.string.benchmark_cell, row.inferenceMedian, row.totalMedian));
            table.addView(line);
        }
    }

    private void addCell(TableRow line, String text) {
        TextView cell = new TextView(this);
        int padding = getResources().getDimensionPixelSize(R.dimen.padding);
        cell.setPadding(0, padding, padding, padding);
        cell.setText(text);
        line.addView(cell);
    }

    private String status() {
        if (demo.models.models.isEmpty()) {
            return Messages.noModel(this, demo.models);
        }
        StringBuilder text = new StringBuilder(getString(
                R.string.benchmark_conditions, demo.settings.accelerator().title, demo.settings.threads()));
        if (session.running) {
            text.append("\n\n").append(getString(R.string.benchmark_now, session.current));
        }
        for (String problem : session.problems) {
            text.append("\n\n").append(problem);
        }
        return text.toString();
    }

    /** The buttons' handlers, named in the layout. */
    public void onStartOrStop(View button) {
        if (session.running) {
            session.stop();
        } else {
            session.start();
        }
    }

    public void onSettings(View button) {
        startActivity(new Intent(this, SettingsActivity.class));
    }

    public void onSave(View button) {
        Intent intent = new Intent(Intent.ACTION_CREATE_DOCUMENT)
                .setType("text/csv")
                .addCategory(Intent.CATEGORY_OPENABLE)
                .putExtra(Intent.EXTRA_TITLE, FILE);
        try {
            startActivityForResult(intent, SAVE);
        } catch (ActivityNotFoundException error) {
            tell(R.string.no_documents);
        }
    }

    @Override
    protected void onActivityResult(int request, int code, Intent data) {
        Uri uri = code == RESULT_OK && data != null ? data.getData() : null;
        if (request != SAVE || uri == null) {
            return;
        }
        try (OutputStream out = getContentResolver().openOutputStream(uri, "wt")) {
            write(out);
            tell(R.string.saved);
        } catch (IOException | SecurityException error) {
            tell(R.string.not_saved);
        }
    }

    public void onShare(View button) {
        File file = SharedFiles.prepare(this, FILE);
        try (OutputStream out = new FileOutputStream(file)) {
            write(out);
        } catch (IOException error) {
            tell(R.string.not_saved);
            return;
        }
        startActivity(SharedFiles.share(this, file, "text/csv"));
    }

    private void write(OutputStream out) throws IOException {
        if (out == null) {
            throw new FileNotFoundException(FILE);
        }
        out.write(BenchmarkRow.csv(session.rows).getBytes(StandardCharsets.UTF_8));
    }

    private void tell(int text) {
        Toast.makeText(this, text, Toast.LENGTH_LONG).show();
    }
}
