package org.sodkeras.core;

import java.io.Closeable;
import java.nio.ByteBuffer;

/** What runs a network: LiteRT in the app. */
public interface Network extends Closeable {
    /** The input tensor's bytes, made once. */
    ByteBuffer input();

    /** The output tensor's bytes, made once. */
    ByteBuffer output();

    /** Computes the output from the input. */
    void invoke() throws ModelException;

    @Override
    void close();
}
