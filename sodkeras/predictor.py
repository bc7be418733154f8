"""A picture in, its saliency map out, whatever runs the network."""

import io
import itertools
import os
import queue
import threading

import cv2

from sodkeras.errors import SodkerasError, first_line
from sodkeras.pictures import CutOut, compositing, encode_png, read_background, read_photo
from sodkeras.pictures.read import PICTURE_ERRORS
from sodkeras.runtimes import open_runtime

# Pixels that `Predictor.stream` holds of pictures read ahead: two photos of 24 megapixels.
_PIXELS_AHEAD = 48_000_000


class Predictor:
    """Finds the salient object in pictures.

    Args:
        model: a model of this project, the path of a `.keras` or `.tflite` file, or the name of a preset: "u2netp"
            runs its file that is best for phones, which needs no TensorFlow, "u2netp_int8" and "u2netp_keras" that
            very file. What is not in the package is fetched on first use.
        threads: CPU threads for a `.tflite` file.

    Attributes:
        preprocessing: the `Preprocessing` that the model came with.
        runtime: what runs it, see `sodkeras.runtimes`.

    Raises:
        SodkerasError: if the model cannot be had.

    Example:
        >>> saliency_map = Predictor("u2netp")("photo.jpg")  # float32 [H, W] in [0, 1], at the photo's size
    """

    #: What a call can give.
    OUTPUTS = ("map", "overlay", "cutout")

    def __init__(self, model, threads=None):
        self.runtime = open_runtime(model, threads)
        self.preprocessing = self.runtime.preprocessing

    def __call__(self, image, output="map", **how):
        """Predicts one picture, at its own size (after EXIF rotation), and answers in kind.

        Args:
            image: anything `sodkeras.pictures.read_photo` takes.
            output: "map"; "overlay", the map laid over the photo; or "cutout", the photo with the map as
                transparency, times its own if it has some.
            **how: how the object is cut out: `edges`, `background`, `crop` and `mask_threshold` of
                `sodkeras.pictures.CutOut`; a background may also be what `read_background` takes.

        Returns:
            For a path or an array, an array: the map as float32 `[H, W]` in [0, 1], an overlay as RGB or a cut-out as
            RGBA, before a background as RGB, uint8. For bytes or an open file, a PNG file's bytes; for a PIL image, a
            PIL image of mode L, RGB or RGBA: there the map has 8 bits. They keep the photo's colour profile, resolution
            and date, see `sodkeras.pictures.tags.Tags`.

        Raises:
            SodkerasError: if a picture cannot be read, or cannot be cut out so.
            ValueError: for an unknown output, or for words about a cut-out where none is asked for.
        """
        if output not in self.OUTPUTS:
            raise ValueError(f"Predictor gives the outputs {self.OUTPUTS}. Received: {output!r}")
        if how and output != "cutout":
            raise ValueError(f"{', '.join(how)}: these are for a cutout. Received: {output!r}")
        if isinstance(how.get("background"), (str, os.PathLike)):
            how["background"] = read_background(how["background"])
        cut = CutOut(**how)
        photo = read_photo(image)
        picture = photo.pixels
        saliency_map = self.predict(picture)
        is_file = isinstance(image, (bytes, bytearray, memoryview)) or hasattr(image, "read")
        is_pil = hasattr(image, "getexif")
        if output == "overlay":
            result = compositing.overlay(picture, saliency_map)
        elif output == "cutout":
            result = cut(photo, saliency_map)
        else:
            result = compositing.grey(saliency_map) if is_file or is_pil else saliency_map
        if is_file or is_pil:
            result = encode_png(result, photo.tags)
        if is_pil:
            from PIL import Image

            result = Image.open(io.BytesIO(result))
            result.load()
        return result

    def predict(self, picture):
        """The saliency map, float32 `[H, W]` in [0, 1], of an RGB picture, uint8 `[H, W, 3]`."""
        network_map = self.runtime(self.preprocessing(picture))[0]
        return self.preprocessing.restore(network_map, picture.shape[:2])

    def fingerprint(self):
        """A hexadecimal digest of all that the maps follow from, to tell whether they would be the same again."""
        return self.runtime.fingerprint()

    def stream(self, images, ahead=2):
        """Predicts many pictures; reads the next few while the network works, and never holds more.

        Args:
            images: an iterable of anything `sodkeras.pictures.read_photo` takes.
            ahead: pictures read ahead, fewer where they are of more than 48 million pixels together.

        Yields:
            For each image, in order, `(image, photo, saliency_map)`: a `sodkeras.pictures.Photo`, and the map as in
            `predict`; where that failed, `(image, None, error)` with the error, so that one bad file does not end the
            rest.
        """
        if ahead < 0:
            raise ValueError(f"Predictor.stream reads no fewer than 0 pictures ahead. Received: {ahead}")
        images, room = iter(images), _Room()
        asked, answers = queue.SimpleQueue(), queue.SimpleQueue()
        # A daemon, for nobody waits at a program's end for a stream that was not read to its own.
        threading.Thread(target=_read_all, args=(asked, answers, room), name="read", daemon=True).start()
        waiting = 0
        try:
            while True:
                for image in itertools.islice(images, ahead + 1 - waiting):
                    asked.put((image,))  # an array does not compare
                    waiting += 1
                if not waiting:
                    return
                image, photo, result, pixels = answers.get()
                waiting -= 1
                if photo is not None:
                    try:
                        result = self.predict(photo.pixels)
                    except PICTURE_ERRORS as error:
                        photo, result = None, _bare(error)
                found = [(image, photo, result)]
                del photo, result
                yield found.pop()  # a large one goes when the caller lets go of it
                room.give_back(pixels)
        finally:
            room.close()
            asked.put(None)


def _read_all(asked, answers, room):
    for (image,) in iter(asked.get, None):
        if room.is_closed:
            return
        answers.put((image, *room.read(image)))


def _bare(error):
    """An error without the frames that raised it, which hold pictures; for one of another library, a sentence."""
    if isinstance(error, (MemoryError, cv2.error)):
        error = SodkerasError(f"The picture is larger than the memory that is left. Received: {first_line(error)}")
    return error.with_traceback(None)


class _Room:
    """Room for the pixels of pictures that are read ahead; one picture always fits."""

    def __init__(self):
        self._held, self.is_closed = 0, False
        self._changed = threading.Condition()

    def read(self, image):
        """(photo, None, its pixels), or (None, error, pixels), once there is room for it."""
        taken = 0

        def take(pixels):
            nonlocal taken
            with self._changed:
                self._changed.wait_for(lambda: self.is_closed or not self._held or self._held + pixels <= _PIXELS_AHEAD)
                self._held += pixels
            taken = pixels

        try:
            return read_photo(image, take), None, taken
        except Exception as error:  # also of a file object that is not ours
            error.__context__ = None  # which has frames, too
            return None, _bare(error), taken

    def give_back(self, pixels):
        with self._changed:
            self._held -= pixels
            self._changed.notify_all()

    def close(self):
        """Lets every reader go on."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()
