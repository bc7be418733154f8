"""The metric that training is watched by."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sodkeras")
class MapError(keras.metrics.MeanMetricWrapper):
    """The mean absolute error of the saliency map against the mask, both in [0, 1], from logits, at the network's size.

    It is not the MAE of tables, which is at the picture's own size and in 8 bit: see `sodkeras.metrics`.
    """

    def __init__(self, name: str = "mae", dtype: str = "float32") -> None:
        super().__init__(_error, name=name, dtype=dtype)

    def get_config(self) -> dict:
        return {"name": self.name, "dtype": self.dtype}


def _error(masks, logits):
    return ops.mean(ops.abs(ops.sigmoid(ops.cast(logits, "float32")) - masks), axis=(1, 2, 3))
