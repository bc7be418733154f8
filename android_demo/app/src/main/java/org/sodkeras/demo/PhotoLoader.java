package org.sodkeras.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.media.ExifInterface;
import android.net.Uri;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.sodkeras.core.PhotoSize;
import org.sodkeras.core.Picture;

/** Reads photos of any size: reduced so that they fit into memory, upright and opaque. Takes a second or more. */
final class PhotoLoader {
    /** A photo as it is used, and the size that its file has. */
    static final class Photo {
        final Picture picture;
        final int fileWidth;
        final int fileHeight;

        Photo(Picture picture, int fileWidth, int fileHeight) {
            this.picture = picture;
            this.fileWidth = fileWidth;
            this.fileHeight = fileHeight;
        }
    }

    private PhotoLoader() {}

    /** Reads a photo, reduced to at most so many pixels, and to fewer where the phone has little memory. */
    static Photo load(Context context, Uri uri, int mostPixels) throws Job.Problem {
        File copy = null;
        try {
            copy = copy(context, uri);
            return decode(copy.getPath(), mostPixels);
        } catch (IOException | SecurityException error) { // gone, or the permission to read it has ended
            throw new Job.Problem(R.string.photo_gone);
        } finally {
            if (copy != null) {
                copy.delete();
            }
        }
    }

    /** A file of our own: it is read three times, and Android 6 reads EXIF from files only. */
    private static File copy(Context context, Uri uri) throws IOException {
        File file = File.createTempFile("photo", null, context.getCacheDir());
        try (InputStream in = context.getContentResolver().openInputStream(uri);
                OutputStream out = new FileOutputStream(file)) {
            if (in == null) {
                throw new IOException("no stream for " + uri);
            }
            byte[] chunk = new byte[1 << 16];
            for (int count = in.read(chunk); count >= 0; count = in.read(chunk)) {
                out.write(chunk, 0, count);
            }
        } catch (IOException | RuntimeException error) {
            file.delete();
            throw error;
        }
        return file;
    }

    private static Photo decode(String path, int mostPixels) throws Job.Problem {
        BitmapFactory.Options options = new BitmapFactory.Options();
        options.inJustDecodeBounds = true;
        BitmapFactory.decodeFile(path, options);
        int width = options.outWidth;
        int height = options.outHeight;
        if (width < 1 || height < 1) {
            throw new Job.Problem(R.string.photo_unknown);
        }
        options.inJustDecodeBounds = false;
        int affordable = PhotoSize.pixelsFor(Runtime.getRuntime().maxMemory());
        options.inSampleSize = PhotoSize.sampleSize(width, height, Math.min(mostPixels, affordable));
        options.inPreferredConfig = Bitmap.Config.ARGB_8888;
        options.inPremultiplied = false; // it is read, never drawn
        Bitmap bitmap = BitmapFactory.decodeFile(path, options);
        if (bitmap == null) {
            throw new Job.Problem(R.string.photo_unknown);
        }
        Picture picture = new Picture(bitmap.getWidth(), bitmap.getHeight());
        bitmap.getPixels(picture.argb, 0, picture.width, 0, 0, picture.width, picture.height);
        bitmap.recycle();
        picture.layOverWhite();
        int orientation = orientation(path);
        boolean turned = orientation >= ExifInterface.ORIENTATION_TRANSPOSE;
        return new Photo(picture.upright(orientation), turned ? height : width, turned ? width : height);
    }

    private static int orientation(String path) {
        try {
            return new ExifInterface(path)
                    .getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL);
        } catch (IOException | RuntimeException error) { // a kind of file without EXIF
            return ExifInterface.ORIENTATION_NORMAL;
        }
    }
}
