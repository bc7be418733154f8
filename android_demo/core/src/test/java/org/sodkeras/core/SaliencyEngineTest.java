package org.sodkeras.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.Test;

/** Rotation, leaving the app in mid-inference, and models that fail: no answer goes astray and no network leaks. */
public class SaliencyEngineTest {
    private static final Selection FIRST = new Selection("first.tflite", 1, Accelerator.XNNPACK);
    private static final Selection SECOND = new Selection("first.tflite", 2, Accelerator.XNNPACK);

    private final List<FakeNetwork> networks = new ArrayList<>();
    private final LinkedBlockingQueue<Runnable> mainThread = new LinkedBlockingQueue<>();
    private final List<String> answers = new ArrayList<>();
    private final SaliencyEngine engine = new SaliencyEngine(
            new SaliencyEngine.Opener() {
                @Override
                public Pipeline open(Selection selection) throws ModelException {
                    if (selection.file.equals("missing.tflite")) {
                        throw new ModelException("There is no such model.");
                    }
                    try {
                        ModelMetadata model = Goldens.metadata("dark_int8");
                        networks.add(new FakeNetwork(model));
                        return new Pipeline(model, networks.get(networks.size() - 1));
                    } catch (Exception error) {
                        throw new AssertionError(error);
                    }
                }
            },
            new Executor() {
                @Override
                public void execute(Runnable work) {
                    mainThread.add(work);
                }
            });

    private final SaliencyEngine.Listener<String> listener = new SaliencyEngine.Listener<String>() {
        @Override
        public void onResult(String result) {
            answers.add(result);
        }

        @Override
        public void onFailure(ModelException failure) {
            answers.add("failed: " + failure.getMessage());
        }
    };

    /** Runs a picture and says so. */
    private static SaliencyEngine.Work<String> say(final String what) {
        return new SaliencyEngine.Work<String>() {
            @Override
            public String run(Pipeline pipeline) throws ModelException {
                pipeline.run(new Picture(4, 4));
                return what;
            }
        };
    }

    private static SaliencyEngine.Work<String> fail(final Throwable error) {
        return new SaliencyEngine.Work<String>() {
            @Override
            public String run(Pipeline pipeline) throws ModelException {
                if (error instanceof Error) {
                    throw (Error) error;
                }
                throw (RuntimeException) error;
            }
        };
    }

    private void answer(int count) throws InterruptedException {
        for (int i = 0; i < count; i++) {
            Runnable work = mainThread.poll(10, TimeUnit.SECONDS);
            assertTrue("no answer", work != null);
            work.run();
        }
    }

    @Test
    public void aNetworkIsOpenedOnceAndReplacedByAnotherSelection() throws Exception {
        engine.submit(FIRST, say("a"), listener);
        engine.submit(FIRST, say("b"), listener);
        engine.submit(SECOND, say("c"), listener);
        answer(3);
        assertEquals("[a, b, c]", answers.toString());
        assertEquals(2, networks.size());
        assertEquals(2, networks.get(0).invocations);
        assertTrue(networks.get(0).closed);
        assertFalse(networks.get(1).closed);
    }

    @Test
    public void releaseWaitsForAnInferenceAndTheNextWorkOpensAgain() throws Exception {
        final CountDownLatch started = new CountDownLatch(1);
        final CountDownLatch goOn = new CountDownLatch(1);
        engine.submit(
                FIRST,
                new SaliencyEngine.Work<String>() {
                    @Override
                    public String run(Pipeline pipeline) throws ModelException {
                        started.countDown();
                        try {
                            goOn.await();
                        } catch (InterruptedException error) {
                            throw new AssertionError(error);
                        }
                        pipeline.run(new Picture(4, 4));
                        return "slow";
                    }
                },
                listener);
        started.await();
        engine.release();
        assertFalse(networks.get(0).closed);
        goOn.countDown();
        engine.submit(FIRST, say("again"), listener);
        answer(2);
        assertEquals("[slow, again]", answers.toString());
        assertTrue(networks.get(0).closed);
        assertEquals(2, networks.size());
    }

    @Test
    public void aCancelledRequestNeverAnswersEvenWhenItsAnswerIsOnTheWay() throws Exception {
        SaliencyEngine.Ticket ticket = engine.submit(FIRST, say("late"), listener);
        Runnable onTheWay = mainThread.poll(10, TimeUnit.SECONDS);
        ticket.cancel(); // the screen went away between the result and its turn on the main thread
        onTheWay.run();
        assertTrue(answers.isEmpty());
    }

    @Test
    public void failuresAreSentencesAndTheNextRequestStartsAfresh() throws Exception {
        engine.submit(new Selection("missing.tflite", 1, Accelerator.GPU), say("never"), listener);
        engine.submit(FIRST, fail(new IllegalStateException("delegate broke")), listener);
        engine.submit(FIRST, fail(new OutOfMemoryError()), listener);
        engine.submit(FIRST, fail(new UnsatisfiedLinkError("no libtensorflowlite_jni.so")), listener);
        engine.submit(FIRST, say("well"), listener);
        answer(5);
        assertEquals("failed: There is no such model.", answers.get(0));
        assertTrue(answers.get(1).contains("delegate broke"));
        assertTrue(answers.get(2).contains("memory"));
        assertTrue(answers.get(3).contains("no LiteRT runtime"));
        assertEquals("well", answers.get(4));
        assertEquals(4, networks.size());
        for (FakeNetwork network : networks.subList(0, 3)) {
            assertTrue(network.closed);
        }
    }
}
