package org.sodkeras.core;

import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** What a network expects of a picture: the steps of {@code sodkeras.Preprocessing}, read from a model's JSON. */
public final class Preprocessing {
    /** Of the network's input, in pixels. */
    public final int height;
    public final int width;
    private final float[] mean;
    private final float[] standardDeviation;
    private final boolean area;
    private final boolean divideByMaximum;

    private Preprocessing(JSONObject json) throws JSONException, ModelException {
        JSONArray size = json.getJSONArray("size");
        height = size.getInt(0);
        width = size.getInt(1);
        mean = three(json, "mean");
        standardDeviation = three(json, "standard_deviation");
        String interpolation = json.getString("interpolation");
        String divisor = json.getString("divisor");
        area = interpolation.equals("area");
        divideByMaximum = divisor.equals("maximum");
        if (height < 1 || width < 1) {
            throw new ModelException("A network's input has a positive height and width. Received: " + size);
        }
        for (float deviation : standardDeviation) {
            if (!(deviation > 0)) {
                throw new ModelException("Standard deviations are positive. Received: " + deviation);
            }
        }
        if (!area && !interpolation.equals("bilinear")) {
            throw new ModelException("The app resizes by bilinear or area. Received: " + interpolation);
        }
        if (!divideByMaximum && !divisor.equals("255")) {
            throw new ModelException("The app divides by 255 or the maximum. Received: " + divisor);
        }
    }

    static Preprocessing read(JSONObject json) throws JSONException, ModelException {
        return new Preprocessing(json);
    }

    private static float[] three(JSONObject json, String name) throws JSONException, ModelException {
        JSONArray values = json.getJSONArray(name);
        if (values.length() != 3) {
            throw new ModelException("There are three numbers in " + name + ". Received: " + values);
        }
        return new float[] {
            (float) values.getDouble(0), (float) values.getDouble(1), (float) values.getDouble(2)
        };
    }

    Resizer resizer() {
        return area ? new AreaResizer(width, height) : new BilinearResizer(width, height);
    }

    /** What a resized picture's bytes are divided by; a black picture has no maximum to speak of and stays black. */
    int divisor(byte[] rgb) {
        if (!divideByMaximum) {
            return 255;
        }
        int maximum = 1;
        for (byte value : rgb) {
            maximum = Math.max(maximum, value & 255);
        }
        return maximum;
    }

    /** The network's value for each of a channel's 256 bytes, in the order of operations of sodkeras. */
    float[] table(int channel, int divisor) {
        float factor = (float) (1.0 / divisor) / standardDeviation[channel];
        float offset = mean[channel] / standardDeviation[channel];
        float[] table = new float[256];
        for (int value = 0; value < 256; value++) {
            table[value] = value * factor - offset;
        }
        return table;
    }
}
