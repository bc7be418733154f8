package org.sodkeras.core;

/** What a network can be computed on. */
public enum Accelerator {
    XNNPACK("CPU, XNNPACK", 1),
    GPU("GPU", 1),
    /** From Android 8.1 on; deprecated by Google since Android 15. */
    NNAPI("NNAPI", 27);

    public final String title;
    /** The lowest Android API level that has it. */
    public final int lowestApi;

    Accelerator(String title, int lowestApi) {
        this.title = title;
        this.lowestApi = lowestApi;
    }
}
