package org.sodkeras.core;

import java.io.Closeable;

/** From a picture to its saliency map with one network. Its buffers are made once; for one thread at a time. */
public final class Pipeline implements Closeable {
    public final ModelMetadata model;
    private final Network network;
    private final InputWriter writer;
    private final SaliencyMap map;

    public Pipeline(ModelMetadata model, Network network) {
        this.model = model;
        this.network = network;
        writer = new InputWriter(model.preprocessing, model.input);
        map = new SaliencyMap(model.output.shape[2], model.output.shape[1], new float[model.output.values()]);
    }

    /** Finds what is salient in a picture. */
    public Saliency run(Picture picture) throws ModelException {
        long start = System.nanoTime();
        writer.write(picture, network.input());
        long prepared = System.nanoTime();
        network.invoke();
        long inferred = System.nanoTime();
        map.read(model.output, network.output());
        return new Saliency(
                map, (prepared - start) / 1e6, (inferred - prepared) / 1e6, (System.nanoTime() - inferred) / 1e6);
    }

    @Override
    public void close() {
        network.close();
    }
}
