package org.sodkeras.demo;

/** Work on the files' thread and what follows on the main thread. */
abstract class Job<T> {
    /** A failure with a sentence for the person, a string resource. */
    static final class Problem extends Exception {
        private static final long serialVersionUID = 1;
        final int message;

        Problem(int message) {
            this.message = message;
        }
    }

    /** Called on the files' thread. */
    abstract T work() throws Problem;

    /** Called on the main thread with what {@code work} gave. */
    abstract void done(T result);

    /** Called on the main thread instead, with a string resource. */
    abstract void failed(int message);

    final void start(final Demo demo) {
        demo.files.execute(new Runnable() {
            @Override
            public void run() {
                T result = null;
                int problem = 0;
                try {
                    result = work();
                } catch (Problem error) {
                    problem = error.message;
                } catch (OutOfMemoryError error) {
                    problem = R.string.too_little_memory;
                }
                reply(demo, result, problem);
            }
        });
    }

    private void reply(Demo demo, final T result, final int problem) {
        demo.mainThread.execute(new Runnable() {
            @Override
            public void run() {
                if (problem == 0) {
                    done(result);
                } else {
                    failed(problem);
                }
            }
        });
    }
}
