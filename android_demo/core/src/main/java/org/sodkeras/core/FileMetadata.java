package org.sodkeras.core;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * What a {@code .tflite} file says of itself: {@code sodkeras convert} puts the JSON that lies beside it into its
 * metadata as well. Of the flatbuffer as much is read as is needed: positions are of bytes, 0 is a field that is absent.
 */
public final class FileMetadata {
    private static final String NAME = "sodkeras";
    // The places of the fields in the tables of LiteRT's schema (schema.fbs).
    private static final int MODEL_BUFFERS = 4;
    private static final int MODEL_METADATA = 6;
    private static final int METADATA_NAME = 0;
    private static final int METADATA_BUFFER = 1;
    private static final int BUFFER_DATA = 0;

    private final ByteBuffer file;

    private FileMetadata(ByteBuffer file) {
        this.file = file;
    }

    /** The JSON inside a file; null if there is none. */
    public static String read(ByteBuffer content) {
        ByteBuffer file = content.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        file.clear();
        try {
            return new FileMetadata(file).find();
        } catch (IndexOutOfBoundsException | IllegalArgumentException | BufferUnderflowException error) {
            return null; // a file that is cut off, or none of LiteRT's, leads outside of itself
        }
    }

    private String find() {
        int model = pointer(0);
        int entries = vector(field(model, MODEL_METADATA));
        for (int i = 0; i < count(entries); i++) {
            int entry = item(entries, i);
            if (NAME.equals(text(field(entry, METADATA_NAME)))) {
                int index = field(entry, METADATA_BUFFER);
                int buffer = item(vector(field(model, MODEL_BUFFERS)), index == 0 ? 0 : file.getInt(index));
                return text(field(buffer, BUFFER_DATA));
            }
        }
        return null;
    }

    private int pointer(int position) {
        return position + file.getInt(position);
    }

    private int field(int table, int index) {
        int layout = table - file.getInt(table);
        int place = 4 + 2 * index;
        int offset = place < file.getShort(layout) ? file.getShort(layout + place) : 0;
        return offset == 0 ? 0 : table + offset;
    }

    private int vector(int position) {
        return position == 0 ? 0 : pointer(position);
    }

    private int count(int vector) {
        return vector == 0 ? 0 : file.getInt(vector);
    }

    private int item(int vector, int index) {
        if (index < 0 || index >= count(vector)) {
            throw new IndexOutOfBoundsException();
        }
        return pointer(vector + 4 + 4 * index);
    }

    private String text(int position) {
        int vector = vector(position);
        int length = count(vector);
        if (length < 0 || length > file.capacity()) {
            throw new IndexOutOfBoundsException();
        }
        byte[] bytes = new byte[length];
        ByteBuffer source = file.duplicate();
        source.position(vector + 4);
        source.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
