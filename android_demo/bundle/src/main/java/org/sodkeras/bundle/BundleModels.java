package org.sodkeras.bundle;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.json.JSONException;
import org.json.JSONObject;
import org.sodkeras.core.FileMetadata;

/**
 * Puts a folder's models into the app's assets, on the computer that builds it: each {@code .tflite} file, and beside it
 * the JSON that {@code sodkeras convert} wrote, or for a network of sodkeras one made of what the file says of itself and
 * of what the network's preset says, its name and licence.
 */
public final class BundleModels {
    private BundleModels() {}

    /**
     * @param arguments the folder of models, and the one in the assets; models that were there before go.
     */
    public static void main(String[] arguments) throws IOException, JSONException {
        if (arguments.length != 2) {
            System.err.println("usage: BundleModels FOLDER ASSETS");
            System.exit(2);
        }
        int count = bundle(new File(arguments[0]), new File(arguments[1]));
        if (count == 0) {
            System.err.println(
                    "The app will hold no model; run sodkeras demo or sodkeras convert first. Received: " + arguments[0]);
        }
    }

    /** Gives the number of models. */
    static int bundle(File folder, File assets) throws IOException, JSONException {
        Files.createDirectories(assets.toPath());
        for (File old : files(assets, ".tflite", ".json")) {
            Files.delete(old.toPath());
        }
        Map<String, JSONObject> presets = presets(folder);
        File[] models = files(folder, ".tflite");
        for (File model : models) {
            String name = model.getName();
            byte[] content = Files.readAllBytes(model.toPath());
            Files.write(new File(assets, name).toPath(), content);
            String json = name.substring(0, name.length() - ".tflite".length()) + ".json";
            File beside = new File(folder, json);
            if (beside.exists()) {
                Files.copy(beside.toPath(), new File(assets, json).toPath());
                continue;
            }
            String inside = FileMetadata.read(ByteBuffer.wrap(content));
            JSONObject preset = presets.get(name);
            if (inside != null && preset != null) {
                JSONObject whole = new JSONObject(inside);
                whole.put("name", preset.getString("name")).put("licence", preset.getString("licence"));
                Files.write(new File(assets, json).toPath(), whole.toString(1).getBytes(StandardCharsets.UTF_8));
            }
        }
        return models.length;
    }

    /** The networks' presets by the name of each of their files. */
    private static Map<String, JSONObject> presets(File folder) throws IOException {
        Map<String, JSONObject> presets = new TreeMap<>();
        for (File file : files(folder, ".json")) {
            try {
                JSONObject json = new JSONObject(
                        new String(Files.readAllBytes(file.toPath()), StandardCharsets.UTF_8));
                JSONObject kinds = json.getJSONObject("files");
                for (Iterator<?> names = kinds.keys(); names.hasNext(); ) {
                    presets.put(kinds.getJSONObject((String) names.next()).getString("file"), json);
                }
            } catch (JSONException error) {
                // It is of something else than a network.
            }
        }
        return presets;
    }

    private static File[] files(File folder, String... endings) {
        File[] found = folder.listFiles((parent, name) -> Arrays.stream(endings).anyMatch(name::endsWith));
        if (found == null) { // there is no such folder
            return new File[0];
        }
        Arrays.sort(found);
        return found;
    }
}
