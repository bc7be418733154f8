package org.sodkeras.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

/** A model that the app cannot run is refused with a sentence, before anything is computed. */
public class ModelMetadataTest {
    @Test
    public void readsWhatConvertWrites() throws Exception {
        ModelMetadata model = Goldens.metadata("dark_int8");
        assertEquals("dark_int8", model.name);
        assertEquals("int8", model.numerics);
        assertEquals("", model.licence);
        assertEquals(24, model.preprocessing.height);
        assertEquals(32, model.preprocessing.width);
        assertEquals(24 * 32 * 3, model.input.bytes());
        assertEquals(4 * 24 * 32, Goldens.metadata("area_float32").output.bytes());
    }

    @Test
    public void foreignFilesAreRefused() throws Exception {
        refused("not JSON at all", "sodkeras convert");
        refused("[1, 2]", "sodkeras convert");
        refused("{\"name\": \"other\"}", "sodkeras convert");
    }

    @Test
    public void whatTheAppDoesNotKnowIsRefused() throws Exception {
        refused(changed("preprocessing", "interpolation", "cubic"), "cubic");
        refused(changed("preprocessing", "divisor", "127"), "127");
        refused(changed("preprocessing", "mean", new JSONArray("[1, 2]")), "mean");
        refused(changed("preprocessing", "standard_deviation", new JSONArray("[1, 0, 1]")), "0.0");
        refused(changed("preprocessing", "size", new JSONArray("[0, 32]")), "[0,32]");
        refused(changed("preprocessing", "size", new JSONArray("[32, 32]")), "[1, 24, 32, 3]");
        refused(changed("input_tensor", "type", "int16"), "int16");
        refused(changed("input_tensor", "scale", 0), "0.0");
        refused(changed("output_tensor", "shape", new JSONArray("[1, 24, 32, 2]")), "[1, 24, 32, 2]");
        refused(changed("output_tensor", "shape", new JSONArray("[2, 24, 32, 1]")), "[2, 24, 32, 1]");
        refused(changed("output_tensor", "shape", new JSONArray("[1, 24]")), "[1, 24]");
        JSONObject logits = new JSONObject(Goldens.text("dark_int8.json")).put("output_values", "logits");
        refused(logits.toString(), "output values logits");
    }

    private static String changed(String part, String key, Object value) throws Exception {
        JSONObject json = new JSONObject(Goldens.text("dark_int8.json"));
        json.getJSONObject(part).put(key, value);
        return json.toString();
    }

    private static void refused(String json, String received) {
        try {
            ModelMetadata.parse(json);
            fail("taken: " + json);
        } catch (ModelException error) {
            assertTrue(error.getMessage(), error.getMessage().contains(received));
        }
    }
}
