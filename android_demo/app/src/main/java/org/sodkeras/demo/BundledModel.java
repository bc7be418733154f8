package org.sodkeras.demo;

import org.sodkeras.core.ModelMetadata;

/** A model in the app's assets that can be used. */
final class BundledModel {
    final String file;
    final double megabytes;
    final ModelMetadata metadata;

    BundledModel(String file, double megabytes, ModelMetadata metadata) {
        this.file = file;
        this.megabytes = megabytes;
        this.metadata = metadata;
    }
}
