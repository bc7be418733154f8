"""Curves, pictures and histograms for TensorBoard."""

import os

import numpy as np

from sodkeras.pictures import encode_png


class EventFile:
    """Writes what TensorBoard shows, through TensorFlow's own writer; TensorBoard itself need not be installed.

    `tf.summary` refuses to work without TensorBoard, which TensorFlow no longer brings along. The writer underneath
    and its messages do not.

    Args:
        folder: where to; every `EventFile` is a file of its own there.
        first_step: TensorBoard forgets what earlier files of the folder say of later steps.

    Raises:
        ImportError: without TensorFlow.
    """

    def __init__(self, folder: str | os.PathLike, first_step: int = 0) -> None:
        import tensorflow as tf

        self._v1 = tf.compat.v1
        with tf.Graph().as_default():  # the writer is of the time of graphs and says no without one
            self._writer = self._v1.summary.FileWriter(str(folder))
        start = self._v1.SessionLog(status=self._v1.SessionLog.START)
        self._writer.add_session_log(start, first_step + 1)

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Adds a point to each of the curves `{tag: number}`."""
        self._add([{"tag": tag, "simple_value": value} for tag, value in values.items()], step)

    def picture(self, tag: str, picture: np.ndarray, step: int) -> None:
        """Adds a picture, RGB, uint8 `[H, W, 3]`."""
        height, width = picture.shape[:2]
        image = self._v1.Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=encode_png(picture)
        )
        self._add([{"tag": tag, "image": image}], step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Adds the distribution of an array; values that are not finite are left out."""
        values = values[np.isfinite(values)].astype(np.float64)
        if not values.size:
            return
        counts, edges = np.histogram(values, bins=50)
        histogram = self._v1.HistogramProto(
            min=values.min(),
            max=values.max(),
            num=values.size,
            sum=values.sum(),
            sum_squares=np.square(values).sum(),
            bucket_limit=edges[1:],
            bucket=counts,
        )
        self._add([{"tag": tag, "histo": histogram}], step)

    def flush(self) -> None:
        """Hands everything to the operating system, so that it outlives the process."""
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _add(self, values, step):
        summary = self._v1.Summary(value=[self._v1.Summary.Value(**value) for value in values])
        self._writer.add_summary(summary, step)
