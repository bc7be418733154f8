package org.sodkeras.core;

import java.nio.ByteBuffer;

/**
 * A camera frame on its way to the screen: copied on the camera's thread, drawn on the engine's. The same frame is
 * analysed and shown, so that the map never lags behind what is seen. Its buffers are made once; a frame must be shown
 * before the next is copied.
 */
public final class LiveFrame {
    private final YuvConverter converter = new YuvConverter();
    private int width;
    private int height;
    private int yRowStride;
    private int uvRowStride;
    private int uvPixelStride;
    private int rotation;
    private Picture result;
    private Compositor compositor;
    private Picture composedPicture;
    private SaliencyMap composedMap;
    private Look composedLook;

    /** How long the frame took, in milliseconds: with the conversion from YUV, and with the drawing. */
    public double preMilliseconds;
    public double inferenceMilliseconds;
    public double postMilliseconds;

    /** The planes of the next frame, as {@code YuvConverter.copy} takes them. */
    public void copy(ByteBuffer y, ByteBuffer u, ByteBuffer v) {
        converter.copy(y, u, v);
    }

    /** Its geometry, as {@code YuvConverter.convert} takes it. */
    public void describe(
            int width, int height, int yRowStride, int uvRowStride, int uvPixelStride, int rotation) {
        this.width = width;
        this.height = height;
        this.yRowStride = yRowStride;
        this.uvRowStride = uvRowStride;
        this.uvPixelStride = uvPixelStride;
        this.rotation = rotation;
    }

    /**
     * Analyses and draws the frame.
     *
     * @param colour 0xRRGGBB, what {@code Look.REPLACE} puts behind the object.
     * @return the upright result, which the next frame overwrites.
     */
    public Picture draw(Pipeline pipeline, Look look, int colour) throws ModelException {
        long start = System.nanoTime();
        Picture picture = converter.convert(width, height, yRowStride, uvRowStride, uvPixelStride, rotation);
        long converted = System.nanoTime();
        Saliency saliency = pipeline.run(picture);
        long mapped = System.nanoTime();
        if (result == null || result.width != picture.width || result.height != picture.height) {
            result = new Picture(picture.width, picture.height);
        }
        boolean changed = picture != composedPicture || saliency.map != composedMap || look != composedLook;
        if (changed || look.needsBackground()) {
            Background background = look == Look.BLUR
                    ? Background.blurred(picture, saliency.map)
                    : Background.colour(colour);
            compositor = new Compositor(picture, saliency.map, look, background, null);
            composedPicture = picture;
            composedMap = saliency.map;
            composedLook = look;
        }
        compositor.draw(result);
        preMilliseconds = (converted - start) / 1e6 + saliency.preMilliseconds;
        inferenceMilliseconds = saliency.inferenceMilliseconds;
        postMilliseconds = saliency.readMilliseconds + (System.nanoTime() - mapped) / 1e6;
        return result;
    }
}
