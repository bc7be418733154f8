package org.sodkeras.core;

/** Frames per second over the last few frames. Not for several threads at a time. */
public final class FrameRate {
    private final long[] times;
    private int frames;

    /**
     * @param window over how many frames.
     */
    public FrameRate(int window) {
        times = new long[window];
    }

    /**
     * Counts a frame.
     *
     * @param nanos when it was done, as {@code System.nanoTime} gives it.
     * @return frames per second; 0 for the first frame.
     */
    public double frame(long nanos) {
        int newest = frames++ % times.length;
        times[newest] = nanos;
        int intervals = Math.min(frames, times.length) - 1;
        int oldest = frames <= times.length ? 0 : frames % times.length;
        return intervals == 0 ? 0 : intervals * 1e9 / (nanos - times[oldest]);
    }
}
