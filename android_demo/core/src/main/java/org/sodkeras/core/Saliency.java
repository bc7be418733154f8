package org.sodkeras.core;

/** A saliency map and what it took, in milliseconds. */
public final class Saliency {
    /** The pipeline's own: its next run overwrites it. */
    public final SaliencyMap map;
    /** From the picture to the input tensor: resizing, normalising, quantizing. */
    public final double preMilliseconds;
    public final double inferenceMilliseconds;
    /** From the output tensor to values in [0, 1]; resizing to the picture's size comes on top. */
    public final double readMilliseconds;

    Saliency(SaliencyMap map, double preMilliseconds, double inferenceMilliseconds, double readMilliseconds) {
        this.map = map;
        this.preMilliseconds = preMilliseconds;
        this.inferenceMilliseconds = inferenceMilliseconds;
        this.readMilliseconds = readMilliseconds;
    }

    /** The same with a map of its own, which stays as it is. */
    public Saliency kept() {
        return new Saliency(map.copy(), preMilliseconds, inferenceMilliseconds, readMilliseconds);
    }
}
