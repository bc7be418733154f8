package org.sodkeras.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.BitmapShader;
import android.graphics.Canvas;
import android.graphics.Matrix;
import android.graphics.Paint;
import android.graphics.RectF;
import android.graphics.Shader;
import android.util.AttributeSet;
import android.view.View;
import org.sodkeras.core.Picture;

/** Shows a result as large as fits, over a checkerboard where it is transparent. */
public final class ResultView extends View {
    private static final int SQUARE = 16;

    private final Paint smooth = new Paint(Paint.FILTER_BITMAP_FLAG);
    private final Paint checkerboard = new Paint();
    private final RectF target = new RectF();
    private final RectF whole = new RectF();
    private final Matrix matrix = new Matrix();
    private Bitmap bitmap;

    public ResultView(Context context, AttributeSet attributes) {
        super(context, attributes);
        int[] tile = new int[4 * SQUARE * SQUARE];
        for (int i = 0; i < tile.length; i++) {
            boolean light = i / (2 * SQUARE) / SQUARE == i % (2 * SQUARE) / SQUARE;
            tile[i] = light ? 0xffcccccc : 0xff999999;
        }
        Bitmap squares = Bitmap.createBitmap(tile, 2 * SQUARE, 2 * SQUARE, Bitmap.Config.ARGB_8888);
        checkerboard.setShader(new BitmapShader(squares, Shader.TileMode.REPEAT, Shader.TileMode.REPEAT));
    }

    /** Shows a picture, which may change afterwards. The bitmap is made once for each size. */
    void show(Picture picture) {
        if (bitmap == null || bitmap.getWidth() != picture.width || bitmap.getHeight() != picture.height) {
            bitmap = Bitmap.createBitmap(picture.width, picture.height, Bitmap.Config.ARGB_8888);
        }
        bitmap.setPixels(picture.argb, 0, picture.width, 0, 0, picture.width, picture.height);
        invalidate();
    }

    void clear() {
        bitmap = null;
        invalidate();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        if (bitmap == null) {
            return;
        }
        whole.set(0, 0, bitmap.getWidth(), bitmap.getHeight());
        target.set(0, 0, getWidth(), getHeight());
        matrix.setRectToRect(whole, target, Matrix.ScaleToFit.CENTER);
        matrix.mapRect(target, whole);
        canvas.drawRect(target, checkerboard);
        canvas.drawBitmap(bitmap, matrix, smooth);
    }
}
