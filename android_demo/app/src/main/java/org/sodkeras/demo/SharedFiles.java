package org.sodkeras.demo;

import android.content.ClipData;
import android.content.ContentProvider;
import android.content.ContentValues;
import android.content.Context;
import android.content.Intent;
import android.database.Cursor;
import android.database.MatrixCursor;
import android.net.Uri;
import android.os.ParcelFileDescriptor;
import android.provider.OpenableColumns;
import java.io.File;
import java.io.FileNotFoundException;

/** Lends single files of the app's cache to the app that a person shares them with, for reading. */
public final class SharedFiles extends ContentProvider {
    private static final String FOLDER = "shared";

    /** Where a file to be shared is written to; what was shared before is forgotten. */
    static File prepare(Context context, String name) {
        File folder = new File(context.getCacheDir(), FOLDER);
        folder.mkdirs();
        File[] old = folder.listFiles();
        for (File file : old == null ? new File[0] : old) {
            file.delete();
        }
        return new File(folder, name);
    }

    /** Asks whom to share a file with that was written where {@code prepare} said. */
    static Intent share(Context context, File file, String type) {
        Uri uri = new Uri.Builder()
                .scheme("content")
                .authority(context.getPackageName() + ".shared")
                .appendPath(file.getName())
                .build();
        Intent intent = new Intent(Intent.ACTION_SEND).setType(type).putExtra(Intent.EXTRA_STREAM, uri);
        intent.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION);
        intent.setClipData(ClipData.newRawUri(file.getName(), uri)); // carries the permission
        return Intent.createChooser(intent, null);
    }

    private File file(Uri uri) throws FileNotFoundException {
        String name = uri.getLastPathSegment();
        if (uri.getPathSegments().size() != 1 || name == null || !name.matches("[\\w-][\\w.-]*")) {
            throw new FileNotFoundException("There is no such file. Received: " + uri);
        }
        return new File(new File(getContext().getCacheDir(), FOLDER), name);
    }

    @Override
    public ParcelFileDescriptor openFile(Uri uri, String mode) throws FileNotFoundException {
        if (!"r".equals(mode)) {
            throw new FileNotFoundException("Files are lent for reading. Received: " + mode);
        }
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY);
    }

    @Override
    public Cursor query(Uri uri, String[] columns, String selection, String[] arguments, String order) {
        MatrixCursor cursor = new MatrixCursor(new String[] {OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE});
        try {
            File file = file(uri);
            cursor.addRow(new Object[] {file.getName(), file.length()});
        } catch (FileNotFoundException error) {
            return cursor; // no row: there is no such file
        }
        return cursor;
    }

    @Override
    public String getType(Uri uri) {
        return String.valueOf(uri.getLastPathSegment()).endsWith(".png") ? "image/png" : "text/csv";
    }

    @Override
    public boolean onCreate() {
        return true;
    }

    @Override
    public Uri insert(Uri uri, ContentValues values) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int delete(Uri uri, String selection, String[] arguments) {
        throw new UnsupportedOperationException();
    }

    @Override
    public int update(Uri uri, ContentValues values, String selection, String[] arguments) {
        throw new UnsupportedOperationException();
    }
}
