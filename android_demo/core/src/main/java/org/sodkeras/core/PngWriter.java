package org.sodkeras.core;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/**
 * Writes a PNG row by row. Android's own encoder takes a whole bitmap, whose colours are multiplied by alpha: a cut-out
 * would lose the colours of its soft edges, and a large photo would be in memory once more.
 */
public final class PngWriter {
    private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    private static final int CHUNK_BYTES = 1 << 16;

    private PngWriter() {}

    /** Writes what a compositor draws, with an alpha channel if asked for; leaves {@code out} open. */
    public static void write(Compositor compositor, int width, int height, boolean transparent, OutputStream out)
            throws IOException {
        int channels = transparent ? 4 : 3;
        out.write(SIGNATURE);
        ByteBuffer header = ByteBuffer.allocate(13);
        header.putInt(width).putInt(height).put((byte) 8).put((byte) (transparent ? 6 : 2));
        chunk(out, "IHDR", header.array(), 13);

        Chunks chunks = new Chunks(out);
        Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION);
        try {
            DeflaterOutputStream compressed = new DeflaterOutputStream(chunks, deflater, CHUNK_BYTES);
            int[] pixels = new int[width];
            byte[] above = new byte[channels * width];
            byte[] row = new byte[channels * width];
            byte[] filtered = new byte[1 + channels * width];
            for (int y = 0; y < height; y++) {
                compositor.row(y, pixels);
                bytes(pixels, channels, row);
                paeth(row, above, channels, filtered);
                compressed.write(filtered);
                byte[] swapped = above;
                above = row;
                row = swapped;
            }
            compressed.finish();
        } finally {
            deflater.end();
        }
        chunks.flush();
        chunk(out, "IEND", new byte[0], 0);
        out.flush();
    }

    private static void bytes(int[] pixels, int channels, byte[] row) {
        int at = 0;
        for (int pixel : pixels) {
            row[at++] = (byte) (pixel >> 16);
            row[at++] = (byte) (pixel >> 8);
            row[at++] = (byte) pixel;
            if (channels == 4) {
                row[at++] = (byte) (pixel >>> 24);
            }
        }
    }

    /** PNG's filter 4: each byte less the nearest of left, above and upper left to left + above − upper left. */
    private static void paeth(byte[] row, byte[] above, int channels, byte[] filtered) {
        filtered[0] = 4;
        for (int i = 0; i < row.length; i++) {
            int left = i < channels ? 0 : row[i - channels] & 255;
            int up = above[i] & 255;
            int corner = i < channels ? 0 : above[i - channels] & 255;
            int toLeft = Math.abs(up - corner);
            int toUp = Math.abs(left - corner);
            int toCorner = Math.abs(left + up - 2 * corner);
            int nearest = toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
            filtered[1 + i] = (byte) (row[i] - nearest);
        }
    }

    private static void chunk(OutputStream out, String type, byte[] data, int length) throws IOException {
        byte[] name = type.getBytes(StandardCharsets.US_ASCII);
        CRC32 checksum = new CRC32();
        checksum.update(name);
        checksum.update(data, 0, length);
        out.write(ByteBuffer.allocate(4).putInt(length).array());
        out.write(name);
        out.write(data, 0, length);
        out.write(ByteBuffer.allocate(4).putInt((int) checksum.getValue()).array());
    }

    /** Collects compressed bytes and writes an IDAT chunk for every so many. */
    private static final class Chunks extends OutputStream {
        private final OutputStream out;
        private final byte[] bytes = new byte[CHUNK_BYTES];
        private int count;

        Chunks(OutputStream out) {
            this.out = out;
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] source, int start, int length) throws IOException {
            for (int done = 0; done < length; ) {
                int part = Math.min(length - done, bytes.length - count);
                System.arraycopy(source, start + done, bytes, count, part);
                count += part;
                done += part;
                if (count == bytes.length) {
                    flush();
                }
            }
        }

        @Override
        public void flush() throws IOException {
            if (count > 0) {
                chunk(out, "IDAT", bytes, count);
                count = 0;
            }
        }
    }
}
