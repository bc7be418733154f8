package org.sodkeras.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes pictures into a network's input tensor. Its buffers are made once; not for several threads at a time. */
final class InputWriter {
    private final Preprocessing preprocessing;
    private final TensorDescription tensor;
    private final Resizer resizer;
    private final byte[] rgb;
    private final float[] floats;
    private final byte[] integers;
    // A byte has 256 values: normalising and quantizing are done once for each, not for each pixel.
    private final float[][] floatTables = new float[3][];
    private final byte[][] integerTables = new byte[3][256];
    private int tablesDivisor;

    InputWriter(Preprocessing preprocessing, TensorDescription tensor) {
        this.preprocessing = preprocessing;
        this.tensor = tensor;
        resizer = preprocessing.resizer();
        rgb = new byte[tensor.values()];
        floats = new float[tensor.isFloat() ? rgb.length : 0];
        integers = new byte[tensor.isFloat() ? 0 : rgb.length];
    }

    /** Fills {@code input} from its start: {@code tensor.bytes()} bytes in the machine's order. */
    void write(Picture picture, ByteBuffer input) {
        resizer.resize(picture, rgb);
        makeTables(preprocessing.divisor(rgb));
        input.order(ByteOrder.nativeOrder()).rewind();
        if (tensor.isFloat()) {
            for (int i = 0; i < rgb.length; i += 3) {
                floats[i] = floatTables[0][rgb[i] & 255];
                floats[i + 1] = floatTables[1][rgb[i + 1] & 255];
                floats[i + 2] = floatTables[2][rgb[i + 2] & 255];
            }
            input.asFloatBuffer().put(floats);
        } else {
            for (int i = 0; i < rgb.length; i += 3) {
                integers[i] = integerTables[0][rgb[i] & 255];
                integers[i + 1] = integerTables[1][rgb[i + 1] & 255];
                integers[i + 2] = integerTables[2][rgb[i + 2] & 255];
            }
            input.put(integers);
        }
        input.rewind();
    }

    private void makeTables(int divisor) {
        if (divisor == tablesDivisor) {
            return;
        }
        for (int channel = 0; channel < 3; channel++) {
            floatTables[channel] = preprocessing.table(channel, divisor);
            for (int value = 0; value < 256 && !tensor.isFloat(); value++) {
                integerTables[channel][value] = tensor.quantize(floatTables[channel][value]);
            }
        }
        tablesDivisor = divisor;
    }
}
