package org.sodkeras.core;

/** What a person can make of a photo and its map. */
public enum Look {
    /** The saliency map in grey. */
    MAP,
    /** The photo, tinted where something is salient, dimmed elsewhere. */
    OVERLAY,
    /** The photo with the map as transparency. */
    CUT_OUT,
    /** The object before its own, blurred background. */
    BLUR,
    /** The object before a colour or another picture. */
    REPLACE;

    public boolean needsBackground() {
        return this == BLUR || this == REPLACE;
    }

    /** Whether the result has transparent pixels. */
    public boolean isTransparent() {
        return this == CUT_OUT;
    }
}
