package org.sodkeras.demo;

import org.sodkeras.core.Background;
import org.sodkeras.core.Compositor;
import org.sodkeras.core.Foreground;
import org.sodkeras.core.Look;
import org.sodkeras.core.Picture;
import org.sodkeras.core.SaliencyMap;

/** What to draw; does not change, so that it may be drawn on another thread. */
final class Drawing {
    final Look look;
    private final SaliencyMap map;
    private final Picture background;
    private final int colour;

    /**
     * @param background what {@code Look.REPLACE} puts behind the object; null for a colour, 0xRRGGBB.
     */
    Drawing(Look look, SaliencyMap map, Picture background, int colour) {
        this.look = look;
        this.map = map;
        this.background = background;
        this.colour = colour;
    }

    /** Draws it with a photo, at the photo's size. */
    Compositor of(Picture photo) {
        Background behind = null;
        if (look == Look.BLUR) {
            behind = Background.blurred(photo, map);
        } else if (look == Look.REPLACE && background != null) {
            behind = Background.picture(background, photo.width, photo.height);
        } else if (look == Look.REPLACE) {
            behind = Background.colour(colour);
        }
        boolean cuts = look.isTransparent() || look.needsBackground();
        return new Compositor(photo, map, look, behind, cuts ? Foreground.of(photo, map) : null);
    }
}
