package org.sodkeras.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A network's saliency map at the network's size: values in [0, 1], row after row. */
public final class SaliencyMap {
    public final int width;
    public final int height;
    final float[] values;

    SaliencyMap(int width, int height, float[] values) {
        this.width = width;
        this.height = height;
        this.values = values;
    }

    /** A map that stays as it is when the network runs again. */
    SaliencyMap copy() {
        return new SaliencyMap(width, height, values.clone());
    }

    /** Reads an output tensor {@code [1, height, width, 1]} from the start of its buffer. */
    void read(TensorDescription tensor, ByteBuffer output) {
        output.order(ByteOrder.nativeOrder()).rewind();
        if (tensor.isFloat()) {
            output.asFloatBuffer().get(values);
        } else {
            for (int i = 0; i < values.length; i++) {
                values[i] = tensor.saliency(output.get(i));
            }
        }
    }

    /** The map at a picture's size, a row at a time, so that a large photo's map need never be in memory. */
    public Rows at(int width, int height) {
        return new Rows(width, height);
    }

    /** The map, resized bilinearly in float as {@code cv2.resize} does it without vendor libraries. */
    public final class Rows {
        private final Taps across;
        private final Taps down;
        private float[] upper;
        private float[] lower;
        private int upperRow = -1;
        private int lowerRow = -1;

        private Rows(int width, int height) {
            across = Taps.alongRows(SaliencyMap.this.width, width);
            down = Taps.downColumns(SaliencyMap.this.height, height);
            upper = new float[width];
            lower = new float[width];
        }

        /** To be called when the map has changed. */
        public void restart() {
            upperRow = -1;
            lowerRow = -1;
        }

        /** Writes row {@code y} to {@code out}; rows asked for in order are the quickest. */
        public void row(int y, float[] out) {
            int first = down.first[y];
            int second = down.second[y];
            if (first != upperRow && first == lowerRow) {
                float[] swapped = upper;
                upper = lower;
                lower = swapped;
                lowerRow = upperRow;
                upperRow = first;
            }
            if (first != upperRow) {
                sample(first, upper);
                upperRow = first;
            }
            if (second != first && second != lowerRow) {
                sample(second, lower);
                lowerRow = second;
            }
            float[] next = second == first ? upper : lower;
            float weight0 = down.firstWeight[y];
            float weight1 = down.secondWeight[y];
            for (int x = 0; x < upper.length; x++) {
                out[x] = upper[x] * weight0 + next[x] * weight1;
            }
        }

        private void sample(int row, float[] out) {
            int start = row * width;
            for (int x = 0; x < out.length; x++) {
                out[x] = values[start + across.first[x]] * across.firstWeight[x]
                        + values[start + across.second[x]] * across.secondWeight[x];
            }
        }
    }
}
