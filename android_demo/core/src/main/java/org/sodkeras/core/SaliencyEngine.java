package org.sodkeras.core;

import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;

/**
 * The one place where networks run: a single thread opens, uses and closes them, one at a time, in the order asked for.
 * A GPU delegate needs that (it is bound to its thread), and no screen can close a network under another's feet.
 */
public final class SaliencyEngine {
    /** Opens networks. Called on the engine's thread. */
    public interface Opener {
        Pipeline open(Selection selection) throws ModelException;
    }

    /** What to do with a network. Called on the engine's thread. */
    public interface Work<T> {
        T run(Pipeline pipeline) throws ModelException;
    }

    /** Where the answer goes. Called on the engine's reply executor, the screen's thread. */
    public interface Listener<T> {
        void onResult(T result);

        void onFailure(ModelException failure);
    }

    /** A request that may be called off: its answer will not come, and if it has not begun it will not. */
    public static final class Ticket {
        private volatile boolean cancelled;

        public void cancel() {
            cancelled = true;
        }
    }

    private final Opener opener;
    private final Executor replies;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(new ThreadFactory() {
        @Override
        public Thread newThread(Runnable work) {
            return new Thread(work, "saliency");
        }
    });
    // Both only on the engine's thread.
    private Pipeline open;
    private Selection opened;

    /**
     * @param replies runs answers, such as the main thread's queue.
     */
    public SaliencyEngine(Opener opener, Executor replies) {
        this.opener = opener;
        this.replies = replies;
    }

    /** Does some work with the selected network, which is opened first if another one, or none, is open. */
    public <T> Ticket submit(final Selection selection, final Work<T> work, final Listener<T> listener) {
        final Ticket ticket = new Ticket();
        thread.execute(new Runnable() {
            @Override
            public void run() {
                if (!ticket.cancelled) {
                    reply(ticket, listener, selection, work);
                }
            }
        });
        return ticket;
    }

    /** Closes the open network after the work that was asked for before; the next work opens it again. */
    public void release() {
        thread.execute(new Runnable() {
            @Override
            public void run() {
                close();
            }
        });
    }

    private <T> void reply(final Ticket ticket, final Listener<T> listener, Selection selection, Work<T> work) {
        T result = null;
        ModelException failure = null;
        try {
            result = work.run(pipeline(selection));
        } catch (ModelException error) {
            failure = error;
        } catch (RuntimeException error) { // what LiteRT throws for files and delegates that it cannot run
            failure = new ModelException("The model cannot run: " + error.getMessage(), error);
        } catch (OutOfMemoryError error) {
            failure = new ModelException("The phone has too little free memory for this.", error);
        } catch (LinkageError error) {
            failure = new ModelException("This build of the app holds no LiteRT runtime for this phone.", error);
        }
        if (failure != null) {
            close(); // a network that failed half-way is not to be trusted
        }
        final T answer = result;
        final ModelException problem = failure;
        replies.execute(new Runnable() {
            @Override
            public void run() {
                if (ticket.cancelled) {
                    return;
                }
                if (problem == null) {
                    listener.onResult(answer);
                } else {
                    listener.onFailure(problem);
                }
            }
        });
    }

    private Pipeline pipeline(Selection selection) throws ModelException {
        if (!selection.equals(opened)) {
            close();
            open = opener.open(selection);
            opened = selection;
        }
        return open;
    }

    private void close() {
        opened = null;
        if (open != null) {
            Pipeline closing = open;
            open = null;
            closing.close();
        }
    }
}
