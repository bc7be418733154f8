package org.sodkeras.core;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** The files that tests/android_demo/make_goldens.py writes. */
final class Goldens {
    static final String[] CASES = {"dark_int8", "enlarged_float32", "halved_uint8", "flat_int8", "area_float32"};

    private Goldens() {}

    /** An array of uint8, int8 or float32. */
    static final class Array {
        final int[] shape;
        final byte[] bytes;

        private Array(int[] shape, byte[] bytes) {
            this.shape = shape;
            this.bytes = bytes;
        }

        float[] floats() {
            float[] values = new float[bytes.length / 4];
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
            return values;
        }

        /** An array [H, W], [H, W, 3] or [H, W, 4] as a picture. */
        Picture picture() {
            int channels = shape.length == 2 ? 1 : shape[2];
            Picture picture = new Picture(shape[1], shape[0]);
            for (int i = 0; i < picture.argb.length; i++) {
                int red = bytes[i * channels] & 255;
                int green = channels == 1 ? red : bytes[i * channels + 1] & 255;
                int blue = channels == 1 ? red : bytes[i * channels + 2] & 255;
                int alpha = channels == 4 ? bytes[i * channels + 3] & 255 : 255;
                picture.argb[i] = alpha << 24 | red << 16 | green << 8 | blue;
            }
            return picture;
        }
    }

    static Map<String, Array> arrays(String name) throws IOException {
        return arrays(open(name + ".npz"));
    }

    static Map<String, Array> arrays(InputStream npz) throws IOException {
        Map<String, Array> arrays = new HashMap<>();
        try (ZipInputStream zip = new ZipInputStream(npz)) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                arrays.put(entry.getName().replace(".npy", ""), parse(readAll(zip)));
            }
        }
        return arrays;
    }

    private static Array parse(byte[] npy) {
        ByteBuffer buffer = ByteBuffer.wrap(npy).order(ByteOrder.LITTLE_ENDIAN);
        int start = 10 + buffer.getShort(8);
        String header = new String(npy, 10, start - 10, StandardCharsets.US_ASCII);
        Matcher shape = Pattern.compile("'shape': \\(([^)]*)\\)").matcher(header);
        if (!shape.find() || !header.contains("'fortran_order': False")) {
            throw new AssertionError(header);
        }
        String[] sizes = shape.group(1).split(",\\s*");
        int[] dimensions = new int[sizes.length];
        for (int i = 0; i < sizes.length; i++) {
            dimensions[i] = Integer.parseInt(sizes[i].trim());
        }
        byte[] bytes = new byte[npy.length - start];
        System.arraycopy(npy, start, bytes, 0, bytes.length);
        return new Array(dimensions, bytes);
    }

    static ModelMetadata metadata(String name) throws Exception {
        return ModelMetadata.parse(text(name + ".json"));
    }

    static String text(String file) throws IOException {
        try (InputStream stream = open(file)) {
            return new String(readAll(stream), StandardCharsets.UTF_8);
        }
    }

    private static InputStream open(String file) {
        InputStream stream = Goldens.class.getResourceAsStream("/goldens/" + file);
        if (stream == null) {
            throw new AssertionError("no goldens/" + file + " on the class path");
        }
        return stream;
    }

    private static byte[] readAll(InputStream stream) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] chunk = new byte[8192];
        for (int count = stream.read(chunk); count >= 0; count = stream.read(chunk)) {
            all.write(chunk, 0, count);
        }
        return all.toByteArray();
    }
}
