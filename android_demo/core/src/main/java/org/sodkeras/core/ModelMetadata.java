package org.sodkeras.core;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * What {@code sodkeras convert} writes beside a {@code .tflite} file: all that is needed to run it. docs/file_format.md
 * says what each key means.
 */
public final class ModelMetadata {
    /** The network's name, such as "u2netp". */
    public final String name;
    /** What the file computes in, such as "float32" or "static_wi8_ai8". */
    public final String numerics;
    /** The licence of the weights; empty if the file does not say. */
    public final String licence;
    public final Preprocessing preprocessing;
    public final TensorDescription input;
    public final TensorDescription output;
    /** Whether the file allows half precision, which phones' processors since 2018 compute twice as much of at a time. */
    public final boolean halfPrecision;

    private ModelMetadata(JSONObject json) throws JSONException, ModelException {
        name = json.getString("name");
        numerics = json.getString("numerics");
        licence = json.isNull("licence") ? "" : json.getString("licence");
        String values = json.optString("output_values", "probabilities");
        if (!values.equals("probabilities")) {
            throw new ModelException(
                    "The app shows maps; convert with the sigmoid inside the graph. Received: output values " + values);
        }
        preprocessing = Preprocessing.read(json.getJSONObject("preprocessing"));
        input = TensorDescription.read(json.getJSONObject("input_tensor"));
        output = TensorDescription.read(json.getJSONObject("output_tensor"));
        JSONObject tried = json.optJSONObject("half_precision");
        halfPrecision = tried != null && tried.getJSONArray("problems").length() == 0;
        int[] expected = {1, preprocessing.height, preprocessing.width, 3};
        if (!Arrays.equals(input.shape, expected)) {
            throw new ModelException(
                    "The input is " + Arrays.toString(expected) + " by the preprocessing. Received: "
                            + Arrays.toString(input.shape));
        }
        if (output.shape[3] != 1) {
            throw new ModelException(
                    "The output is a map of one channel. Received: " + Arrays.toString(output.shape));
        }
    }

    /**
     * Reads the JSON beside a file, or where there is none, the one inside.
     *
     * @param beside null if nothing lies beside the file.
     * @throws ModelException if neither is such a JSON, or asks for something that this app does not know.
     */
    public static ModelMetadata read(String beside, ByteBuffer file) throws ModelException {
        String json = beside == null ? FileMetadata.read(file) : beside;
        if (json == null) {
            throw new ModelException("It needs the JSON that sodkeras convert wrote beside it. Received: none, and none inside.");
        }
        return parse(json);
    }

    /** How quick a phone can be expected to be with it: of two files, that with more. */
    public int quickness() {
        return halfPrecision ? 2 : numerics.equals("static_wi8_ai8") ? 1 : 0;
    }

    /**
     * Reads the JSON.
     *
     * @throws ModelException if it is no such JSON, or asks for something that this app does not know.
     */
    public static ModelMetadata parse(String json) throws ModelException {
        try {
            return new ModelMetadata(new JSONObject(json));
        } catch (JSONException error) {
            throw new ModelException(
                    "The file beside the model is not what sodkeras convert writes: " + error.getMessage(), error);
        }
    }
}
