package org.sodkeras.core;

import java.util.Arrays;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** Shape, type and quantization of a network's input or output, as {@code sodkeras convert} writes them. */
public final class TensorDescription {
    /** {@code [1, height, width, channels]}. */
    public final int[] shape;
    /** "float32", "int8" or "uint8". */
    public final String type;
    /** Value of one integer step; 0 for floats. */
    public final float scale;
    /** The integer that stands for 0. */
    public final int zeroPoint;

    public TensorDescription(int[] shape, String type, float scale, int zeroPoint) throws ModelException {
        boolean isFloat = type.equals("float32");
        if (!isFloat && !type.equals("int8") && !type.equals("uint8")) {
            throw new ModelException("The app knows tensors of float32, int8 and uint8. Received: " + type);
        }
        if (shape.length != 4 || shape[0] != 1 || Math.min(Math.min(shape[1], shape[2]), shape[3]) < 1) {
            throw new ModelException(
                    "The app knows tensors of the shape [1, height, width, channels]. Received: "
                            + Arrays.toString(shape));
        }
        if (!isFloat && !(scale > 0)) {
            throw new ModelException("A quantized tensor has a positive scale. Received: " + scale);
        }
        this.shape = shape;
        this.type = type;
        this.scale = scale;
        this.zeroPoint = zeroPoint;
    }

    static TensorDescription read(JSONObject json) throws JSONException, ModelException {
        JSONArray sizes = json.getJSONArray("shape");
        int[] shape = new int[sizes.length()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = sizes.getInt(i);
        }
        return new TensorDescription(
                shape, json.getString("type"), (float) json.getDouble("scale"), json.getInt("zero_point"));
    }

    public boolean isFloat() {
        return type.equals("float32");
    }

    /** How many values the tensor holds. */
    public int values() {
        return shape[0] * shape[1] * shape[2] * shape[3];
    }

    /** How many bytes the tensor takes. */
    public int bytes() {
        return values() * (isFloat() ? 4 : 1);
    }

    /** The integer for a value: rounded half to even after a division in float, as sodkeras does in Python. */
    byte quantize(float value) {
        int low = type.equals("int8") ? -128 : 0;
        double integer = Math.rint(value / scale) + zeroPoint;
        return (byte) (int) Math.max(low, Math.min(low + 255, integer));
    }

    /**
     * The value that an integer has in a saliency map. The largest integer stands for 1: LiteRT's sigmoid has steps of
     * 1/256, and no pixel would be wholly salient.
     */
    float saliency(byte integer) {
        int steps = (type.equals("int8") ? integer : integer & 255) - zeroPoint;
        int largest = (type.equals("int8") ? 127 : 255) - zeroPoint;
        float end = largest * scale;
        return end < 1 && end + scale >= 1 ? (float) steps / largest : steps * scale;
    }
}
