package org.sodkeras.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertSame;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.Test;

/** The camera's view shows the frame at hand: nothing of an earlier frame, map, look or rotation stays in a buffer. */
public class LiveFrameTest {
    private final LiveFrame frame = new LiveFrame();

    private static ByteBuffer plane(int size, int value) {
        byte[] bytes = new byte[size];
        Arrays.fill(bytes, (byte) value);
        return ByteBuffer.wrap(bytes);
    }

    /** Draws a frame of one grey; the network calls all of it, or nothing, salient. */
    private Picture draw(Pipeline pipeline, int grey, int rotation, Look look) throws Exception {
        frame.copy(plane(64 * 48, grey), plane(32 * 24, 128), plane(32 * 24, 128));
        frame.describe(64, 48, 64, 32, 1, rotation);
        return frame.draw(pipeline, look, 0x0000ff);
    }

    @Test
    public void everyFrameIsDrawnAfresh() throws Exception {
        ModelMetadata model = Goldens.metadata("dark_int8");
        FakeNetwork network = new FakeNetwork(model);
        Pipeline pipeline = new Pipeline(model, network);
        fill(network, 0);
        Picture first = draw(pipeline, 200, 0, Look.CUT_OUT);
        assertEquals(0x00c8c8c8, first.argb[100]);
        fill(network, 256);
        Picture second = draw(pipeline, 100, 0, Look.CUT_OUT);
        assertSame(first, second);
        assertEquals(0xff646464, second.argb[100]); // the largest integer is white
        assertEquals(0xffffffff, draw(pipeline, 100, 0, Look.MAP).argb[100]);
        assertEquals(0xff646464, draw(pipeline, 100, 0, Look.BLUR).argb[100]);
        assertEquals(0xff636363, draw(pipeline, 99, 0, Look.REPLACE).argb[100]);
        fill(network, 0);
        assertEquals(0xff0000ff, draw(pipeline, 99, 0, Look.REPLACE).argb[100]);
        Picture turned = draw(pipeline, 50, 90, Look.MAP);
        assertEquals(48, turned.width);
        int[] black = new int[48 * 64];
        Arrays.fill(black, 0xff000000);
        assertArrayEquals(black, turned.argb);
    }

    /** Sets the network's map to a number of 256ths. */
    private static void fill(FakeNetwork network, int share) {
        for (int i = 0; i < network.output.capacity(); i++) {
            network.output.put(i, (byte) Math.min(127, share - 128));
        }
    }
}
