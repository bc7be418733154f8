"""What a network gives in half precision, as ARM computes it, found out on any machine.

ARM's processors since 2018 (ARMv8.2: Cortex-A55, A75 and later) compute twice as many 16-bit numbers at a time, and
XNNPACK does so with files that allow it. Everything is rounded to 11 binary digits then, each convolution's running sum
after every product: what large terms of a sum that cancel leave over is lost, and what exceeds 65,504 is infinite.
"""

from typing import Any

import numpy as np
from keras import ops

from sodkeras.graph import Graph, convolve, copy, is_convolution, kernel_axes
from sodkeras.tflite.passes import lower

#: The standard deviation of a rounding's error, as a share of what is rounded: up to 2^-11 of it to either side, on
#: average three quarters of that, evenly spread.
_OF_ROUNDING = 0.75 * 2**-11 / 3**0.5


class HalfPrecisionRuntime:
    """Runs a Keras model with the rounding that half precision has on ARM; convolutions' sums get theirs at random.

    tflite/NOTES.md holds it against an emulated Cortex-A76.

    Args:
        model: an `InferenceModel`.

    Attributes:
        preprocessing, name, numerics: as in `sodkeras.runtimes.KerasRuntime`.
    """

    def __init__(self, model: Any) -> None:
        self.preprocessing, self.name, self.numerics = model.preprocessing, model.name, "float16"
        self._flat = copy(lower(model))  # some of the weights are the model's own
        self._flat.set_weights([weight.astype("float16").astype("float32") for weight in self._flat.get_weights()])

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Network input, float32 `[B, h, w, 3]`, to saliency maps, float32 `[B, h, w]` in [0, 1]."""
        rng, graph = np.random.default_rng(0), Graph(self._flat)
        known = {id(self._flat.inputs[0]): _rounded(ops.convert_to_tensor(batch))}
        left = {id(call.output): graph.uses(call.output) for call in graph}
        left[id(self._flat.inputs[0])] = graph.uses(self._flat.inputs[0])
        for call in graph:
            made = call.again(known)
            if is_convolution(call.layer):
                noise = rng.standard_normal(made.shape, "float32")
                made = made + noise * _deviation(call.layer, known[id(call.inputs[0])])
            known[id(call.output)] = _rounded(made)
            for tensor in call.inputs:  # all values at once would be gigabytes
                left[id(tensor)] -= 1
                if not left[id(tensor)]:
                    del known[id(tensor)]
        return ops.convert_to_numpy(known[id(self._flat.outputs[0])])[..., 0]


def _rounded(values):
    return ops.cast(ops.cast(values, "float16"), "float32")


def _deviation(layer, x):
    """The standard deviation of what rounding each running sum does to a convolution's result.

    Of K terms of one sign the k-th sum is k/K of the magnitudes' sum S, and the squares of K roundings add up to
    K/3·S²; terms of either sign make less of it, which is not counted on.
    """
    total = convolve(layer, ops.abs(x), ops.abs(layer.kernel))
    if layer.use_bias:
        total = total + ops.abs(layer.bias)
    terms = np.prod([layer.kernel.shape[axis] for axis in kernel_axes(layer)])
    return total * np.float32(_OF_ROUNDING * (terms / 3) ** 0.5)
