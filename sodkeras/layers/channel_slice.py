"""A range of channels."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="sodkeras")
class ChannelSlice(keras.layers.Layer):
    """The channels from `start` up to, not including, `stop`.

    Args:
        start, stop: 0 ≤ start < stop ≤ C.

    Input `[B, H, W, C]`, output `[B, H, W, stop - start]`.
    """

    def __init__(self, start: int, stop: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.stop = stop

    def call(self, x: Any) -> Any:
        return x[..., self.start : self.stop]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:3], self.stop - self.start)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"start": self.start, "stop": self.stop}
