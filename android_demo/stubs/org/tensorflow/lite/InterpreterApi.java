package org.tensorflow.lite;

public interface InterpreterApi extends AutoCloseable {
    class Options {}

    void run(Object input, Object output);

    Tensor getInputTensor(int inputIndex);

    Tensor getOutputTensor(int outputIndex);

    @Override
    void close();
}
