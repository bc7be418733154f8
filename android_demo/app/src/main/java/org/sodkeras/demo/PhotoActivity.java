package org.sodkeras.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ActivityNotFoundException;
import android.content.DialogInterface;
import android.content.Intent;
import android.net.Uri;
import android.os.Bundle;
import android.provider.DocumentsContract;
import android.view.View;
import android.widget.Spinner;
import android.widget.TextView;
import android.widget.Toast;
import java.io.File;
import java.io.FileNotFoundException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;
import org.sodkeras.core.Look;

/** A photo in any of the looks, to be saved or shared. */
public final class PhotoActivity extends Activity implements PhotoSession.Screen {
    private static final int PICK_PHOTO = 1;
    private static final int PICK_BACKGROUND = 2;
    private static final int SAVE = 3;
    private static final String PHOTO = "photo";
    private static final int[] COLOURS = {0xffffff, 0x000000, 0x00b140, 0x4a90d9};
    private static final int[] COLOUR_TITLES = {
        R.string.white, R.string.black, R.string.green, R.string.blue, R.string.picture,
    };

    private Demo demo;
    private PhotoSession session;
    private ResultView result;
    private AlertDialog dialog;

    @Override
    protected void onCreate(Bundle saved) {
        super.onCreate(saved);
        setContentView(R.layout.photo);
        demo = Demo.of(this);
        result = (ResultView) findViewById(R.id.result);
        session = (PhotoSession) getLastNonConfigurationInstance();
        if (session == null) {
            session = new PhotoSession(demo);
            Uri uri = saved == null ? null : (Uri) saved.getParcelable(PHOTO);
            if (uri != null) { // Android had ended the app in the background
                session.load(uri);
            } else if (saved == null) {
                onPick(result);
            }
        }
        session.attach(this);
        Choices.fillLooks((Spinner) findViewById(R.id.look), demo.settings.look(), new Choices.Listener() {
            @Override
            public void onChosen(int index) {
                session.show(Look.values()[index]);
            }
        });
    }

    @Override
    protected void onStart() {
        super.onStart();
        session.refresh(); // the settings may have changed
    }

    @Override
    public Object onRetainNonConfigurationInstance() {
        return session;
    }

    @Override
    protected void onSaveInstanceState(Bundle saved) {
        super.onSaveInstanceState(saved);
        saved.putParcelable(PHOTO, session.uri);
    }

    @Override
    protected void onDestroy() {
        if (dialog != null) {
            dialog.dismiss();
        }
        if (isChangingConfigurations()) {
            session.attach(null);
        } else {
            session.close();
        }
        super.onDestroy();
    }

    @Override
    public void update() {
        if (session.shown == null) {
            result.clear();
        } else {
            result.show(session.shown);
        }
        boolean ready = session.saliency != null;
        findViewById(R.id.progress).setVisibility(session.isWorking() ? View.VISIBLE : View.INVISIBLE);
        findViewById(R.id.save).setEnabled(ready);
        findViewById(R.id.share).setEnabled(ready);
        boolean replaces = demo.settings.look() == Look.REPLACE;
        findViewById(R.id.background).setVisibility(replaces ? View.VISIBLE : View.GONE);
        ((TextView) findViewById(R.id.status)).setText(status());
    }

    private String status() {
        if (!session.problem.isEmpty()) {
            return session.problem;
        }
        if (session.photo == null) {
            return getString(session.isWorking() ? R.string.reading : R.string.pick_hint);
        }
        PhotoLoader.Photo photo = session.photo;
        StringBuilder text = new StringBuilder(
                getString(R.string.photo_size, photo.picture.width, photo.picture.height));
        if (photo.picture.width != photo.fileWidth) {
            text.append(' ').append(getString(R.string.photo_reduced, photo.fileWidth, photo.fileHeight));
        }
        if (session.saliency != null && demo.settings.model(Use.PHOTO) != null) {
            text.append('\n').append(getString(
                    R.string.photo_numbers,
                    demo.settings.model(Use.PHOTO).file,
                    demo.settings.accelerator().title,
                    session.saliency.preMilliseconds,
                    session.saliency.inferenceMilliseconds,
                    session.saliency.readMilliseconds,
                    session.drawMilliseconds));
        }
        return text.toString();
    }

    /** The buttons' handlers, named in the layout. */
    public void onPick(View button) {
        pick(PICK_PHOTO);
    }

    private void pick(int request) {
        Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT).setType("image/*").addCategory(Intent.CATEGORY_OPENABLE);
        startForResult(intent, request);
    }

    private void startForResult(Intent intent, int request) {
        try {
            startActivityForResult(intent, request);
        } catch (ActivityNotFoundException error) {
            tell(R.string.no_documents);
        }
    }

    public void onBackground(View button) {
        String[] titles = new String[COLOUR_TITLES.length];
        for (int i = 0; i < titles.length; i++) {
            titles[i] = getString(COLOUR_TITLES[i]);
        }
        dialog = new AlertDialog.Builder(this)
                .setTitle(R.string.background)
                .setItems(titles, new DialogInterface.OnClickListener() {
                    @Override
                    public void onClick(DialogInterface chosen, int index) {
                        if (index < COLOURS.length) {
                            session.useColour(COLOURS[index]);
                        } else {
                            pick(PICK_BACKGROUND);
                        }
                    }
                })
                .show();
    }

    public void onSettings(View button) {
        startActivity(new Intent(this, SettingsActivity.class));
    }

    public void onSave(View button) {
        Intent intent = new Intent(Intent.ACTION_CREATE_DOCUMENT)
                .setType("image/png")
                .addCategory(Intent.CATEGORY_OPENABLE)
                .putExtra(Intent.EXTRA_TITLE, fileName());
        startForResult(intent, SAVE);
    }

    private String fileName() {
        return demo.settings.look().name().toLowerCase(Locale.ROOT) + ".png";
    }

    @Override
    protected void onActivityResult(int request, int code, Intent data) {
        Uri uri = code == RESULT_OK && data != null ? data.getData() : null;
        if (uri == null) {
            return;
        }
        if (request == PICK_PHOTO) {
            session.load(uri);
        } else if (request == PICK_BACKGROUND) {
            session.loadBackground(uri);
        } else if (session.saliency != null) {
            save(uri);
        } else { // Android had ended the app while a place was chosen: the result is gone, and the file is empty
            delete(uri);
            tell(R.string.not_saved);
        }
    }

    private void save(final Uri uri) {
        session.save(new PhotoSession.Place() {
            @Override
            public OutputStream open() throws IOException {
                OutputStream out = demo.getContentResolver().openOutputStream(uri, "wt");
                if (out == null) {
                    throw new FileNotFoundException(uri.toString());
                }
                return out;
            }

            @Override
            public void saved(int problem) {
                if (problem != 0) {
                    delete(uri); // a file is whole or absent
                }
                tell(problem == 0 ? R.string.saved : problem);
            }
        });
    }

    private void delete(Uri uri) {
        try {
            DocumentsContract.deleteDocument(demo.getContentResolver(), uri);
        } catch (Exception error) { // later versions of Android declare one more than the lowest does
            return; // gone already, or kept somewhere that does not delete
        }
    }

    public void onShare(View button) {
        final File file = SharedFiles.prepare(this, fileName());
        session.save(new PhotoSession.Place() {
            @Override
            public OutputStream open() throws IOException {
                return new FileOutputStream(file);
            }

            @Override
            public void saved(int problem) {
                if (problem != 0) {
                    tell(problem);
                } else if (!isFinishing() && !isDestroyed()) {
                    startActivity(SharedFiles.share(PhotoActivity.this, file, "image/png"));
                }
            }
        });
    }

    private void tell(int text) {
        Toast.makeText(demo, text, Toast.LENGTH_LONG).show();
    }
}
