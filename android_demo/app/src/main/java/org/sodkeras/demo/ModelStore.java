package org.sodkeras.demo;

import android.content.res.AssetFileDescriptor;
import android.content.res.AssetManager;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.sodkeras.core.ModelException;
import org.sodkeras.core.ModelMetadata;
import org.sodkeras.core.Pipeline;
import org.sodkeras.core.SaliencyEngine;
import org.sodkeras.core.Selection;

/** The models that were built into the app: assets/models/NAME.tflite, with NAME.json beside it or inside. */
final class ModelStore implements SaliencyEngine.Opener {
    private static final String FOLDER = "models";

    /** Those that can be used, by file name. */
    final List<BundledModel> models;
    /** A sentence for each file that cannot. */
    final List<String> problems;
    private final AssetManager assets;

    ModelStore(AssetManager assets) {
        this.assets = assets;
        List<BundledModel> found = new ArrayList<>();
        List<String> refused = new ArrayList<>();
        for (String file : list()) {
            if (!file.endsWith(".tflite")) {
                continue;
            }
            try {
                ByteBuffer content = map(file);
                ModelMetadata metadata = ModelMetadata.read(beside(file), content);
                found.add(new BundledModel(file, content.capacity() / 1e6, metadata));
            } catch (ModelException error) {
                refused.add(file + ": " + error.getMessage());
            }
        }
        models = Collections.unmodifiableList(found);
        problems = Collections.unmodifiableList(refused);
    }

    /** Null if there is none of that name. */
    BundledModel find(String file) {
        for (BundledModel model : models) {
            if (model.file.equals(file)) {
                return model;
            }
        }
        return null;
    }

    @Override
    public Pipeline open(Selection selection) throws ModelException {
        BundledModel model = find(selection.file);
        if (model == null) {
            throw new ModelException("The app holds no such model. Received: " + selection.file);
        }
        return new Pipeline(model.metadata, new LiteRtNetwork(map(model.file), model.metadata, selection));
    }

    private String[] list() {
        try {
            String[] files = assets.list(FOLDER);
            return files == null ? new String[0] : files;
        } catch (IOException error) {
            return new String[0];
        }
    }

    /** The text of the file's JSON; null if there is none. */
    private String beside(String file) {
        String name = file.substring(0, file.lastIndexOf('.')) + ".json";
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try (InputStream stream = assets.open(FOLDER + "/" + name)) {
            byte[] chunk = new byte[4096];
            for (int count = stream.read(chunk); count >= 0; count = stream.read(chunk)) {
                text.write(chunk, 0, count);
            }
        } catch (IOException error) {
            return null;
        }
        return new String(text.toByteArray(), StandardCharsets.UTF_8);
    }

    /** The file's bytes, mapped: the system reads them as they are needed and may drop them again. */
    private ByteBuffer map(String file) throws ModelException {
        ByteBuffer content;
        try (AssetFileDescriptor asset = assets.openFd(FOLDER + "/" + file);
                FileInputStream stream = new FileInputStream(asset.getFileDescriptor())) {
            content = stream.getChannel()
                    .map(FileChannel.MapMode.READ_ONLY, asset.getStartOffset(), asset.getDeclaredLength());
        } catch (FileNotFoundException error) { // what Android throws for a compressed asset, too
            throw new ModelException("It is stored compressed; build the app with noCompress 'tflite'.", error);
        } catch (IOException error) {
            throw new ModelException("It cannot be read: " + error.getMessage(), error);
        }
        byte[] kind = new byte[4];
        for (int i = 0; i < kind.length && content.capacity() >= 8; i++) {
            kind[i] = content.get(4 + i);
        }
        if (!"TFL3".equals(new String(kind, StandardCharsets.US_ASCII))) {
            throw new ModelException("It is no .tflite file.");
        }
        return content;
    }
}
