package org.sodkeras.demo;

import android.content.Context;
import android.graphics.ImageFormat;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.media.Image;
import android.media.ImageReader;
import android.os.Handler;
import android.os.HandlerThread;
import android.util.Size;
import java.util.Collections;

/** The camera's frames. Everything, the frames too, happens on a thread of its own until {@code close}. */
final class CameraFeed {
    interface Listener {
        /** A frame, to be closed by the listener. Called on the camera's thread. */
        void onFrame(Image image);

        /** No more frames will come. Called on the camera's thread. */
        void onFailure(int message);
    }

    private static final long WANTED_PIXELS = 640 * 480; // more than any network here takes, and quick to convert
    private static final int FRAMES = 2;

    private final CameraManager manager;
    private final Listener listener;
    private final HandlerThread thread = new HandlerThread("camera");
    private final Handler handler;
    // Only on the camera's thread.
    private boolean closed;
    private CameraDevice device;
    private ImageReader reader;
    private CameraCharacteristics characteristics;

    /** Opens the camera at the back, or another if there is none; the permission must have been given. */
    CameraFeed(Context context, Listener listener) {
        manager = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
        this.listener = listener;
        thread.start();
        handler = new Handler(thread.getLooper());
        handler.post(new Runnable() {
            @Override
            public void run() {
                open();
            }
        });
    }

    /**
     * How far frames must be turned clockwise to stand upright on the screen. To be called from {@code onFrame}.
     *
     * @param displayDegrees how far the screen is turned from its natural orientation.
     */
    int rotation(int displayDegrees) {
        Integer sensor = characteristics.get(CameraCharacteristics.SENSOR_ORIENTATION);
        int degrees = sensor == null ? 0 : sensor;
        return (degrees + (isFront() ? displayDegrees : 360 - displayDegrees)) % 360;
    }

    private boolean isFront() {
        Integer facing = characteristics.get(CameraCharacteristics.LENS_FACING);
        return facing != null && facing == CameraCharacteristics.LENS_FACING_FRONT;
    }

    /** Gives the camera back, soon; may be called at any time, and frames may arrive until it has happened. */
    void close() {
        handler.post(new Runnable() {
            @Override
            public void run() {
                closed = true;
                closeCamera();
                thread.quitSafely();
            }
        });
    }

    private void closeCamera() {
        if (device != null) {
            device.close();
            device = null;
        }
        if (reader != null) {
            reader.close();
            reader = null;
        }
    }

    private void fail(int message) {
        closeCamera();
        if (!closed) {
            listener.onFailure(message);
        }
    }

    private void open() {
        if (closed) {
            return;
        }
        try {
            String id = choose();
            if (id == null) {
                fail(R.string.no_camera);
                return;
            }
            characteristics = manager.getCameraCharacteristics(id);
            Size size = frameSize();
            reader = ImageReader.newInstance(size.getWidth(), size.getHeight(), ImageFormat.YUV_420_888, FRAMES);
            reader.setOnImageAvailableListener(
                    new ImageReader.OnImageAvailableListener() {
                        @Override
                        public void onImageAvailable(ImageReader source) {
                            Image image = closed ? null : source.acquireLatestImage();
                            if (image != null) {
                                listener.onFrame(image);
                            }
                        }
                    },
                    handler);
            manager.openCamera(id, deviceCallback, handler);
        } catch (CameraAccessException | SecurityException | IllegalArgumentException error) {
            fail(R.string.camera_failed); // in use, switched off by a policy, or the permission was taken back
        }
    }

    private String choose() throws CameraAccessException {
        String other = null;
        for (String id : manager.getCameraIdList()) {
            Integer facing = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING);
            if (facing != null && facing == CameraCharacteristics.LENS_FACING_BACK) {
                return id;
            }
            other = other == null ? id : other;
        }
        return other;
    }

    private Size frameSize() {
        StreamConfigurationMap map = characteristics.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
        Size[] sizes = map == null ? null : map.getOutputSizes(ImageFormat.YUV_420_888);
        Size best = new Size(640, 480); // which every camera has
        long distance = Long.MAX_VALUE;
        for (Size size : sizes == null ? new Size[0] : sizes) {
            long difference = Math.abs((long) size.getWidth() * size.getHeight() - WANTED_PIXELS);
            if (difference < distance) {
                best = size;
                distance = difference;
            }
        }
        return best;
    }

    private final CameraDevice.StateCallback deviceCallback = new CameraDevice.StateCallback() {
        @Override
        public void onOpened(CameraDevice camera) {
            device = camera;
            if (closed) {
                closeCamera();
                return;
            }
            try {
                camera.createCaptureSession(
                        Collections.singletonList(reader.getSurface()), sessionCallback, handler);
            } catch (CameraAccessException | IllegalStateException error) {
                fail(R.string.camera_failed);
            }
        }

        @Override
        public void onDisconnected(CameraDevice camera) { // another app took it
            camera.close();
            fail(R.string.camera_failed);
        }

        @Override
        public void onError(CameraDevice camera, int error) {
            camera.close();
            fail(R.string.camera_failed);
        }
    };

    private final CameraCaptureSession.StateCallback sessionCallback = new CameraCaptureSession.StateCallback() {
        @Override
        public void onConfigured(CameraCaptureSession session) {
            if (closed || device == null) {
                return;
            }
            try {
                CaptureRequest.Builder request = device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
                request.addTarget(reader.getSurface());
                session.setRepeatingRequest(request.build(), null, handler);
            } catch (CameraAccessException | IllegalStateException error) {
                fail(R.string.camera_failed);
            }
        }

        @Override
        public void onConfigureFailed(CameraCaptureSession session) {
            fail(R.string.camera_failed);
        }
    };
}
