package org.sodkeras.bundle;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeNotNull;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import org.json.JSONObject;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import org.sodkeras.core.FileMetadata;
import org.sodkeras.core.ModelMetadata;

/** What the app finds in its assets of the networks that come with sodkeras, and of a person's own. */
public class BundleModelsTest {
    private static final String NAME = "csnet_l_x1_int8";
    @Rule
    public final TemporaryFolder folder = new TemporaryFolder();
    private File presets;
    private File assets;

    @Before
    public void findPackage() throws Exception {
        String path = System.getProperty("sodkeras.presets");
        assumeNotNull(path);
        presets = new File(path);
        assets = new File(folder.getRoot(), "assets/models");
    }

    @Test
    public void aFileOfANetworkHasItsNameAndItsLicence() throws Exception {
        int count = BundleModels.bundle(presets, assets);
        assertEquals(2 * count, assets.list().length); // each file, and its JSON
        byte[] file = bytes(assets, NAME + ".tflite");
        assertArrayEquals(bytes(presets, NAME + ".tflite"), file);
        ModelMetadata model = ModelMetadata.read(text(assets, NAME + ".json"), ByteBuffer.wrap(file));
        assertEquals("csnet_l_x1", model.name);
        assertEquals("Apache-2.0", model.licence);
        assertEquals("int8", model.input.type);
        // Two files of a network have one name, and differ in their numerics.
        JSONObject half = new JSONObject(text(assets, "csnet_l_x1_float16.json"));
        assertEquals("csnet_l_x1", half.getString("name"));
        assertEquals("float16", half.getString("numerics"));
    }

    @Test
    public void whatConvertWroteIsTakenAsItIs() throws Exception {
        File own = folder.newFolder("own");
        write(own, "mine.tflite", bytes(presets, NAME + ".tflite"));
        write(own, "mine.json", "by convert".getBytes(StandardCharsets.UTF_8));
        write(own, "alone.tflite", bytes(presets, NAME + ".tflite"));
        write(own, "silent.tflite", new byte[100]);
        write(own, "report.json", "{\"files\": []}".getBytes(StandardCharsets.UTF_8));
        assertEquals(3, BundleModels.bundle(own, assets));
        assertEquals("by convert", text(assets, "mine.json"));
        // These two say themselves what they are, or say nothing.
        assertFalse(new File(assets, "alone.json").exists());
        assertFalse(new File(assets, "silent.json").exists());
        assertTrue(new JSONObject(FileMetadata.read(ByteBuffer.wrap(bytes(assets, "alone.tflite")))).has("numerics"));
        assertFalse(new File(assets, "report.json").exists());
    }

    @Test
    public void modelsOfTheBuildBeforeGo() throws Exception {
        BundleModels.bundle(presets, assets);
        assertEquals(0, BundleModels.bundle(new File(folder.getRoot(), "nothing"), assets));
        assertEquals(0, assets.list().length);
    }

    private static void write(File folder, String name, byte[] content) throws Exception {
        Files.write(new File(folder, name).toPath(), content);
    }

    private static byte[] bytes(File folder, String name) throws Exception {
        return Files.readAllBytes(new File(folder, name).toPath());
    }

    private static String text(File folder, String name) throws Exception {
        return new String(bytes(folder, name), StandardCharsets.UTF_8);
    }
}
