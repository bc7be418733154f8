package org.sodkeras.demo;

/** What a model is wanted for, and which of those that come with sodkeras a person gets who chose none. */
enum Use {
    /** The best map: a photo is waited for. */
    PHOTO("u2netp_int8.tflite"),
    /** The quickest: a frame is not. */
    LIVE("dnl_small_int8.tflite");

    final String usualFile;

    Use(String usualFile) {
        this.usualFile = usualFile;
    }
}
