package org.sodkeras.core;

/** Which model file runs, and on what. */
public final class Selection {
    /** The file's name, such as "u2netp-320x320-static_wi8_ai8.tflite". */
    public final String file;
    /** CPU threads. */
    public final int threads;
    public final Accelerator accelerator;

    public Selection(String file, int threads, Accelerator accelerator) {
        this.file = file;
        this.threads = threads;
        this.accelerator = accelerator;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof Selection)) {
            return false;
        }
        Selection that = (Selection) other;
        return file.equals(that.file) && threads == that.threads && accelerator == that.accelerator;
    }

    @Override
    public int hashCode() {
        return file.hashCode() + 31 * threads + 1009 * accelerator.hashCode();
    }
}
