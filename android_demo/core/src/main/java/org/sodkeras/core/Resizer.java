package org.sodkeras.core;

/** Brings pictures of any size to one size, aspect ignored. Not for several threads at a time. */
interface Resizer {
    /**
     * Resizes a picture.
     *
     * @param source any size; its alpha is ignored.
     * @param rgb the result: height × width × 3 bytes, unsigned, in the order R, G, B.
     */
    void resize(Picture source, byte[] rgb);
}
