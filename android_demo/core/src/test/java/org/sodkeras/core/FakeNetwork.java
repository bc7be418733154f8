package org.sodkeras.core;

import java.nio.ByteBuffer;

/** A network whose output is what the test put there. */
class FakeNetwork implements Network {
    final ByteBuffer input;
    final ByteBuffer output;
    int invocations;
    boolean closed;

    FakeNetwork(ModelMetadata model) {
        input = ByteBuffer.allocateDirect(model.input.bytes());
        output = ByteBuffer.allocateDirect(model.output.bytes());
    }

    @Override
    public ByteBuffer input() {
        return input;
    }

    @Override
    public ByteBuffer output() {
        return output;
    }

    @Override
    public void invoke() throws ModelException {
        if (closed) {
            throw new AssertionError("invoked after close");
        }
        invocations++;
    }

    @Override
    public void close() {
        closed = true;
    }
}
