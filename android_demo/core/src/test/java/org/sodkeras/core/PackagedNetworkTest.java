package org.sodkeras.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeNotNull;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.Map;
import org.json.JSONObject;
import org.junit.Before;
import org.junit.Test;

/** The 8-bit network that comes with sodkeras drives the app by what it says of itself. */
public class PackagedNetworkTest {
    private byte[] file;

    @Before
    public void readPackage() throws Exception {
        String folder = System.getProperty("sodkeras.presets");
        assumeNotNull(folder);
        file = Files.readAllBytes(new File(folder, "csnet_l_x1_int8.tflite").toPath());
    }

    @Test
    public void theFileSaysAllThatIsNeeded() throws Exception {
        ModelMetadata model = ModelMetadata.read(null, ByteBuffer.wrap(file));
        assertEquals("csnet_l_x1", model.name);
        assertEquals("static_wi8_ai8", model.numerics);
        assertEquals("int8", model.input.type);
        assertEquals(model.preprocessing.height * model.preprocessing.width, model.output.values());
    }

    @Test
    public void halfPrecisionIsTakenForQuickerThanEightBits() throws Exception {
        String folder = System.getProperty("sodkeras.presets");
        byte[] half = Files.readAllBytes(new File(folder, "csnet_l_x1_float16.tflite").toPath());
        String inside = FileMetadata.read(ByteBuffer.wrap(half));
        ModelMetadata eightBits = ModelMetadata.read(null, ByteBuffer.wrap(file));
        assertTrue(ModelMetadata.parse(inside).quickness() > eightBits.quickness());
        assertFalse(eightBits.halfPrecision);
        JSONObject json = new JSONObject(inside);
        json.getJSONObject("half_precision").getJSONArray("problems").put("worst_mae is 0.2");
        assertTrue(ModelMetadata.parse(json.toString()).quickness() < eightBits.quickness());
    }

    @Test
    public void whatConvertWroteBesideAFileComesFirst() throws Exception {
        String inside = FileMetadata.read(ByteBuffer.wrap(file));
        assertEquals("static_wi8_ai8", ModelMetadata.read(null, ByteBuffer.wrap(file)).numerics);
        String beside = new JSONObject(inside).put("name", "by hand").toString();
        assertEquals("by hand", ModelMetadata.read(beside, ByteBuffer.wrap(file)).name);
    }

    @Test
    public void aFileThatSaysNothingIsRefused() throws Exception {
        for (int length : new int[] {0, 3, 30, 300}) {
            byte[] cut = new byte[length];
            System.arraycopy(file, 0, cut, 0, length);
            assertNull(FileMetadata.read(ByteBuffer.wrap(cut)));
        }
        try {
            ModelMetadata.read(null, ByteBuffer.wrap(new byte[100]));
            fail("taken");
        } catch (ModelException error) {
            assertTrue(error.getMessage(), error.getMessage().contains("sodkeras convert"));
        }
    }

    /** With what LiteRT made of a photo in Python: tests/android_demo/test_jvm.py writes it. */
    @Test
    public void itsInputAndItsMapArePythonsBitForBit() throws Exception {
        String run = System.getProperty("sodkeras.run");
        assumeNotNull(run);
        Map<String, Goldens.Array> golden = Goldens.arrays(Files.newInputStream(new File(run).toPath()));
        ModelMetadata model = ModelMetadata.read(null, ByteBuffer.wrap(file));
        FakeNetwork network = new FakeNetwork(model);
        network.output.put(golden.get("output").bytes);
        SaliencyMap map = new Pipeline(model, network).run(golden.get("picture").picture()).map;
        byte[] input = new byte[model.input.bytes()];
        network.input.rewind();
        network.input.get(input);
        assertArrayEquals(golden.get("input").bytes, input);
        float[] values = new float[model.output.values()];
        float[] row = new float[map.width];
        SaliencyMap.Rows rows = map.at(map.width, map.height);
        for (int y = 0; y < map.height; y++) {
            rows.row(y, row);
            System.arraycopy(row, 0, values, y * map.width, row.length);
        }
        assertArrayEquals(golden.get("map").floats(), values, 0);
    }
}
