package org.sodkeras.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import java.security.MessageDigest;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** The network gets what Python would give it, and its output means what it means in Python. */
public class PipelineTest {
    @Test
    public void inputIsPythonsBitForBit() throws Exception {
        for (String name : Goldens.CASES) {
            Map<String, Goldens.Array> golden = Goldens.arrays(name);
            byte[] input = input(Goldens.metadata(name), golden.get("picture").picture());
            assertArrayEquals(name, golden.get("input").bytes, input);
        }
    }

    @Test
    public void inputIsPythonsBitForBitWhateverTheSizes() throws Exception {
        JSONArray cases = new JSONArray(Goldens.text("sizes.json"));
        assertEquals(128, cases.length());
        for (int i = 0; i < cases.length(); i++) {
            JSONObject golden = cases.getJSONObject(i);
            JSONArray from = golden.getJSONArray("picture");
            JSONArray to = golden.getJSONArray("size");
            JSONObject metadata = new JSONObject(Goldens.text("dark_int8.json"));
            metadata.getJSONObject("preprocessing").put("size", to);
            metadata.getJSONObject("preprocessing").put("interpolation", golden.getString("interpolation"));
            JSONArray shape = new JSONArray(new int[] {1, to.getInt(0), to.getInt(1), 3});
            metadata.getJSONObject("input_tensor").put("shape", shape);
            ModelMetadata model = ModelMetadata.parse(metadata.toString());
            byte[] input = input(model, computedPicture(from.getInt(0), from.getInt(1)));
            StringBuilder digest = new StringBuilder();
            for (byte value : MessageDigest.getInstance("SHA-256").digest(input)) {
                digest.append(String.format("%02x", value));
            }
            assertEquals(golden.toString(), golden.getString("sha256"), digest.toString());
        }
    }

    private static Picture computedPicture(int height, int width) {
        Picture picture = new Picture(width, height);
        for (int y = 0, at = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int pixel = 0xff;
                for (int channel = 0; channel < 3; channel++) {
                    pixel = pixel << 8 | ((x * 7 + y * 13 + channel * 29 ^ x * y >> 3) & 255);
                }
                picture.argb[at++] = pixel;
            }
        }
        return picture;
    }

    /** Twice, each time after a picture of another size and brightness: nothing of it may remain in the buffers. */
    private static byte[] input(ModelMetadata model, Picture picture) throws Exception {
        FakeNetwork network = new FakeNetwork(model);
        Pipeline pipeline = new Pipeline(model, network);
        byte[] first = new byte[model.input.bytes()];
        byte[] second = new byte[model.input.bytes()];
        pipeline.run(new Picture(3, 5));
        pipeline.run(picture);
        network.input.get(first);
        pipeline.run(new Picture(3, 5));
        pipeline.run(picture);
        network.input.rewind();
        network.input.get(second);
        assertArrayEquals(first, second);
        assertEquals(4, network.invocations);
        return first;
    }

    @Test
    public void quantizingRoundsTiesToEvenAndStaysInRange() throws Exception {
        int[] shape = {1, 1, 1, 3};
        TensorDescription signed = new TensorDescription(shape, "int8", 2, 10);
        float[] values = {-3, -1, 1, 3, 5, 1000, -1000};
        int[] expected = {8, 10, 10, 12, 12, 127, -128}; // np.round([-1.5, -0.5, 0.5, 1.5, 2.5, …]) + 10, clipped
        TensorDescription unsigned = new TensorDescription(shape, "uint8", 2, 10);
        for (int i = 0; i < values.length; i++) {
            assertEquals(expected[i], signed.quantize(values[i]));
            int clipped = Math.abs(values[i]) < 1000 ? expected[i] : values[i] > 0 ? 255 : 0;
            assertEquals(clipped, unsigned.quantize(values[i]) & 255);
        }
    }

    @Test
    public void mapAtThePicturesSizeIsPythonsBitForBit() throws Exception {
        for (String name : Goldens.CASES) {
            Map<String, Goldens.Array> golden = Goldens.arrays(name);
            Picture picture = golden.get("picture").picture();
            SaliencyMap.Rows rows = run(name, golden).map.at(picture.width, picture.height);
            float[] map = new float[picture.argb.length];
            float[] row = new float[picture.width];
            for (int y = 0; y < picture.height; y++) {
                rows.row(y, row);
                System.arraycopy(row, 0, map, y * picture.width, row.length);
            }
            assertArrayEquals(name, golden.get("map").floats(), map, 0);
        }
    }

    static Saliency run(String name, Map<String, Goldens.Array> golden) throws Exception {
        ModelMetadata model = Goldens.metadata(name);
        FakeNetwork network = new FakeNetwork(model);
        network.output.put(golden.get("output").bytes);
        return new Pipeline(model, network).run(golden.get("picture").picture());
    }
}
