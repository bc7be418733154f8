package org.sodkeras.demo;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import org.sodkeras.core.Accelerator;
import org.sodkeras.core.ModelException;
import org.sodkeras.core.ModelMetadata;
import org.sodkeras.core.Network;
import org.sodkeras.core.Selection;
import org.sodkeras.core.TensorDescription;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;
import org.tensorflow.lite.gpu.CompatibilityList;
import org.tensorflow.lite.gpu.GpuDelegate;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** A network in LiteRT. Made, used and closed on one thread, which the GPU delegate demands. */
final class LiteRtNetwork implements Network {
    /** Of the library that the Gradle build brings. */
    static final String VERSION = "LiteRT 1.4.2";

    private final ByteBuffer input;
    private final ByteBuffer output;
    private Delegate delegate;
    private Interpreter interpreter;

    /**
     * @param model the file's bytes, which must stay readable as long as the network is open.
     */
    LiteRtNetwork(ByteBuffer model, ModelMetadata metadata, Selection selection) throws ModelException {
        Interpreter.Options options = new Interpreter.Options().setNumThreads(selection.threads);
        boolean whole = false;
        try {
            delegate = delegate(selection.accelerator);
            if (delegate == null) {
                options.setUseXNNPACK(true);
            } else {
                options.addDelegate(delegate);
            }
            interpreter = new Interpreter(model, options);
            check(interpreter.getInputTensor(0), metadata.input);
            check(interpreter.getOutputTensor(0), metadata.output);
            whole = true;
        } catch (IllegalArgumentException | IllegalStateException error) {
            throw new ModelException(
                    "LiteRT cannot run the model on " + selection.accelerator.title + ": " + error.getMessage(), error);
        } finally {
            if (!whole) {
                close();
            }
        }
        input = ByteBuffer.allocateDirect(metadata.input.bytes()).order(ByteOrder.nativeOrder());
        output = ByteBuffer.allocateDirect(metadata.output.bytes()).order(ByteOrder.nativeOrder());
    }

    private static Delegate delegate(Accelerator accelerator) throws ModelException {
        if (accelerator == Accelerator.NNAPI) {
            return new NnApiDelegate();
        }
        if (accelerator == Accelerator.GPU) {
            CompatibilityList list = new CompatibilityList();
            try {
                if (!list.isDelegateSupportedOnThisDevice()) {
                    throw new ModelException("LiteRT does not support this phone's GPU; choose the CPU.");
                }
            } finally {
                list.close();
            }
            return new GpuDelegate();
        }
        return null;
    }

    /** The file must be what the JSON beside it says, or pictures would be prepared for another network. */
    private static void check(Tensor tensor, TensorDescription described) throws ModelException {
        String type = tensor.dataType().name().toLowerCase(Locale.ROOT);
        if (!Arrays.equals(tensor.shape(), described.shape) || !type.equals(described.type)) {
            throw new ModelException(
                    "The model and the file beside it do not belong together. Received: "
                            + Arrays.toString(tensor.shape()) + " " + type + " for "
                            + Arrays.toString(described.shape) + " " + described.type);
        }
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
    public void invoke() {
        input.rewind();
        output.rewind();
        interpreter.run(input, output);
    }

    @Override
    public void close() {
        if (interpreter != null) {
            interpreter.close();
            interpreter = null;
        }
        if (delegate != null) {
            delegate.close();
            delegate = null;
        }
    }
}
