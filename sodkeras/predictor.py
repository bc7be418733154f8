"""A picture in, its saliency map out, whatever runs the network."""

import collections
import concurrent.futures

from sodkeras import compositing
from sodkeras.pictures import encode_png, read_picture
from sodkeras.runtimes import open_runtime


class Predictor:
    """Finds the salient object in pictures.

    Args:
        model: a model of this project, the path of a `.keras` or `.tflite` file, or the name of a preset, such as
            "u2netp" (fetched on first use).
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

    def __call__(self, image, output="map"):
        """Predicts one picture, at its own size (after EXIF rotation), and answers in kind.

        Args:
            image: anything `sodkeras.pictures.read_picture` takes.
            output: "map"; "overlay", the map laid over the photo; or "cutout", the photo with the map as transparency.

        Returns:
            For a path or an array, an array: the map as float32 `[H, W]` in [0, 1], an overlay as RGB or a cut-out as
            RGBA, uint8. For bytes, a PNG file's bytes; for a PIL image, a PIL image of mode L, RGB or RGBA: there the
            map has 8 bits.

        Raises:
            SodkerasError: if the picture cannot be read.
            ValueError: for an unknown output.
        """
        if output not in self.OUTPUTS:
            raise ValueError(f"Predictor gives the outputs {self.OUTPUTS}. Received: {output!r}")
        picture = read_picture(image)
        saliency_map = self.predict(picture)
        is_bytes = isinstance(image, (bytes, bytearray, memoryview))
        is_pil = hasattr(image, "getexif")
        if output == "overlay":
            result = compositing.overlay(picture, saliency_map)
        elif output == "cutout":
            result = compositing.cut_out(picture, saliency_map)
        else:
            result = compositing.grey(saliency_map) if is_bytes or is_pil else saliency_map
        if is_bytes:
            return encode_png(result)
        if is_pil:
            from PIL import Image

            return Image.fromarray(result)
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
            images: an iterable of anything `read_picture` takes.
            ahead: pictures read ahead.

        Yields:
            For each image, in order, `(image, picture, saliency_map)` as in `predict`; where reading failed,
            `(image, None, error)` with the error, so that one bad file does not end the rest.
        """
        images = iter(images)
        waiting = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="read") as reader:

            def submit_next():
                for image in images:
                    waiting.append((image, reader.submit(read_picture, image)))
                    return

            for _ in range(ahead + 1):
                submit_next()
            while waiting:
                image, future = waiting.popleft()
                try:
                    picture = future.result()
                except (ValueError, OSError, MemoryError) as error:
                    yield image, None, error
                else:
                    del future
                    yield image, picture, self.predict(picture)
                submit_next()
