package org.sodkeras.demo;

import android.net.Uri;
import java.io.IOException;
import java.io.OutputStream;
import org.sodkeras.core.Look;
import org.sodkeras.core.ModelException;
import org.sodkeras.core.PhotoSize;
import org.sodkeras.core.Picture;
import org.sodkeras.core.Pipeline;
import org.sodkeras.core.PngWriter;
import org.sodkeras.core.Saliency;
import org.sodkeras.core.SaliencyEngine;
import org.sodkeras.core.Selection;

/**
 * A photo, its map and what is made of them. It outlives its screen when the phone is turned: work goes on, and the new
 * screen shows what there is. All methods are for the main thread.
 */
final class PhotoSession {
    /** Shows the session's state, which has changed. */
    interface Screen {
        void update();
    }

    /** Where a result is written to. */
    interface Place {
        /** Called on the files' thread. */
        OutputStream open() throws IOException;

        /** Called on the main thread, with a string resource or 0 if all is well. */
        void saved(int problem);
    }

    /** Of the longer side of what is shown; what is saved has every pixel. */
    private static final int SHOWN_PIXELS = 1600;
    private static final int BACKGROUND_PIXELS = 3_000_000;

    // The state that a screen shows.
    Uri uri;
    PhotoLoader.Photo photo;
    Picture shown;
    Saliency saliency;
    double drawMilliseconds;
    String problem = "";

    private final Demo demo;
    private Screen screen;
    private Picture small;
    private Picture background;
    private Selection analysedWith;
    private SaliencyEngine.Ticket ticket;
    private int pending;
    // Answers that come after a newer request are known by its number.
    private int photoNumber;
    private int drawingNumber;

    PhotoSession(Demo demo) {
        this.demo = demo;
    }

    /** The screen to tell, or null while there is none. */
    void attach(Screen current) {
        screen = current;
    }

    /** Whether anything is under way. */
    boolean isWorking() {
        return pending > 0;
    }

    /** Stops what can be stopped: the screen is gone for good. */
    void close() {
        screen = null;
        photoNumber++;
        drawingNumber++;
        if (ticket != null) {
            ticket.cancel();
        }
    }

    /** Reads a photo and finds what is salient in it. */
    void load(final Uri source) {
        uri = source;
        photo = null;
        small = null;
        shown = null;
        saliency = null;
        final int mine = ++photoNumber;
        new Reading(source, PhotoSize.MOST_PIXELS) {
            @Override
            void use(PhotoLoader.Photo loaded, Picture reduced) {
                if (mine == photoNumber) {
                    photo = loaded;
                    small = reduced;
                    shown = reduced; // something to look at while the network works
                    analyse();
                }
            }
        }.begin();
    }

    /** Takes another picture as background. */
    void loadBackground(Uri source) {
        new Reading(source, BACKGROUND_PIXELS) {
            @Override
            void use(PhotoLoader.Photo loaded, Picture reduced) {
                background = reduced;
                draw();
            }
        }.begin();
    }

    void useColour(int rgb) {
        demo.settings.chooseColour(rgb);
        background = null;
        draw();
    }

    void show(Look look) {
        demo.settings.choose(look);
        draw();
    }

    /** Analyses the photo again if another network is selected now. */
    void refresh() {
        Selection selection = demo.settings.selection(Use.PHOTO);
        if (photo != null && selection != null && !selection.equals(analysedWith)) {
            analyse();
        } else {
            update();
        }
    }

    private void analyse() {
        Selection selection = demo.settings.selection(Use.PHOTO);
        if (selection == null) {
            problem = Messages.noModel(demo, demo.models);
            update();
            return;
        }
        analysedWith = selection;
        saliency = null; // what is shown stays until the new result is there
        final Picture picture = photo.picture;
        final int mine = photoNumber;
        started();
        ticket = demo.engine.submit(
                selection,
                new SaliencyEngine.Work<Saliency>() {
                    @Override
                    public Saliency run(Pipeline pipeline) throws ModelException {
                        return pipeline.run(picture).kept();
                    }
                },
                new SaliencyEngine.Listener<Saliency>() {
                    @Override
                    public void onResult(Saliency result) {
                        if (mine == photoNumber) {
                            saliency = result;
                        }
                        ended("");
                        draw();
                    }

                    @Override
                    public void onFailure(ModelException failure) {
                        ended(failure.getMessage());
                    }
                });
    }

    private Drawing drawing() {
        return new Drawing(demo.settings.look(), saliency.map, background, demo.settings.colour());
    }

    private void draw() {
        if (saliency == null) {
            update();
            return;
        }
        final Drawing drawing = drawing();
        final Picture picture = small;
        final int mine = ++drawingNumber;
        started();
        new Job<Picture>() {
            private double milliseconds;

            @Override
            Picture work() {
                long start = System.nanoTime();
                Picture result = new Picture(picture.width, picture.height);
                drawing.of(picture).draw(result);
                milliseconds = (System.nanoTime() - start) / 1e6;
                return result;
            }

            @Override
            void done(Picture result) {
                if (mine == drawingNumber && picture == small) {
                    shown = result;
                    drawMilliseconds = milliseconds;
                }
                ended(problem);
            }

            @Override
            void failed(int message) {
                ended(demo.getString(message));
            }
        }.start(demo);
    }

    /** Writes the result, with every pixel of the photo, as a PNG. */
    void save(final Place place) {
        final Drawing drawing = drawing();
        final Picture picture = photo.picture;
        started();
        new Job<Void>() {
            @Override
            Void work() throws Problem {
                try (OutputStream out = place.open()) {
                    boolean transparent = drawing.look.isTransparent();
                    PngWriter.write(drawing.of(picture), picture.width, picture.height, transparent, out);
                    return null;
                } catch (IOException | SecurityException error) { // the place is full or gone
                    throw new Problem(R.string.not_saved);
                }
            }

            @Override
            void done(Void nothing) {
                ended("");
                place.saved(0);
            }

            @Override
            void failed(int message) {
                ended("");
                place.saved(message);
            }
        }.start(demo);
    }

    /** A photo being read, and a small copy of it. */
    private abstract class Reading extends Job<PhotoLoader.Photo> {
        private final Uri source;
        private final int mostPixels;
        private Picture reduced;

        Reading(Uri source, int mostPixels) {
            this.source = source;
            this.mostPixels = mostPixels;
        }

        abstract void use(PhotoLoader.Photo loaded, Picture reduced);

        final void begin() {
            started();
            start(demo);
        }

        @Override
        PhotoLoader.Photo work() throws Problem {
            PhotoLoader.Photo loaded = PhotoLoader.load(demo, source, mostPixels);
            reduced = loaded.picture.reduced(SHOWN_PIXELS);
            return loaded;
        }

        @Override
        void done(PhotoLoader.Photo loaded) {
            ended("");
            use(loaded, reduced);
        }

        @Override
        void failed(int message) {
            ended(demo.getString(message));
        }
    }

    private void started() {
        pending++;
        problem = "";
        update();
    }

    private void ended(String message) {
        pending--;
        problem = message;
        update();
    }

    private void update() {
        if (screen != null) {
            screen.update();
        }
    }
}
