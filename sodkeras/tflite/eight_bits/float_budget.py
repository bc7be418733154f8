"""What each layer's rounding to 8 bits costs, and the fewest layers to keep in float for a given loss."""

from collections.abc import Callable, Iterable

import keras
import numpy as np
from keras import ops

from sodkeras.errors import SodkerasError
from sodkeras.graph import Call, Graph, is_convolution, rewrite
from sodkeras.tflite.eight_bits.activation_ranges import Ranges
from sodkeras.tflite.eight_bits.weight_rounding import rounding_error


def layer_costs(
    model: keras.Model, batch: np.ndarray, ranges: Ranges, progress: Callable[[list], Iterable] = iter
) -> dict[str, float]:
    """What each layer costs alone: the rest of the network in float, its weights and its result in 8 bits.

    Args:
        model: a flat functional Keras model in the form for 8 bits, see `sodkeras.tflite.passes`.
        batch: a few preprocessed pictures `[B, H, W, 3]`.
        ranges: between what each layer's result is rounded, as `eight_bits.activation_ranges` gives them.
        progress: wraps the list of layers, as `tqdm.tqdm` does.

    Returns:
        A dict of the layers' names to the mean absolute change of the network's output, the costliest first.
    """
    graph = Graph(model)
    #: For the id of a tensor that is rounded, the layer whose result it is; a ReLU is fused with what is before it.
    rounded = {}
    for call in graph:
        # Pooling and resizing keep the scale of their input.
        if is_convolution(call.layer) or isinstance(call.layer, (keras.layers.Add, keras.layers.Subtract)):
            last = call
            match graph.users(call.output):
                case [Call(layer=keras.layers.ReLU()) as relu]:
                    last = relu
            rounded[id(last.output)] = call.layer
    switches = {}

    def replace(call, inputs):
        if id(call.output) not in rounded:
            return None
        name = rounded[id(call.output)].name
        switches[name] = _Rounding(*ranges[call.layer.name], name=f"{name}_rounding")
        return switches[name](call.layer(inputs if len(inputs) > 1 else inputs[0]))

    switched = rewrite(model, replace)
    switched.compile(jit_compile=False)
    expected = switched.predict_on_batch(batch)
    costs = {}
    for layer in progress(list(rounded.values())):
        switch = switches[layer.name]
        switch.on.assign(1.0)
        kernel = ops.convert_to_numpy(layer.kernel) if is_convolution(layer) else None
        if kernel is not None:
            layer.kernel.assign(kernel + rounding_error(layer))
        costs[layer.name] = float(np.mean(np.abs(switched.predict_on_batch(batch) - expected)))
        if kernel is not None:
            layer.kernel.assign(kernel)
        switch.on.assign(0.0)
    return dict(sorted(costs.items(), key=lambda item: -item[1]))


def fewest_in_float(
    ranking: list[str], measure: Callable[[list[str]], float], budget: float
) -> tuple[list[str], float]:
    """The shortest start of a ranking that meets a budget, by bisection: more layers in float are taken to cost less.

    Args:
        ranking: names of layers, the costliest first.
        measure: a function of the names kept in float to what the file costs: its mean absolute difference.
        budget: what it may cost.

    Returns:
        The names, a list, and the cost.

    Raises:
        SodkerasError: if even all of them in float cost more.
    """
    low, high = 0, len(ranking)
    costs = {low: measure([])}
    if costs[low] <= budget:
        return [], costs[low]
    costs[high] = measure(ranking)
    if costs[high] > budget:
        raise SodkerasError(
            f"The budget cannot be met: with every layer in float the file still differs by {costs[high]:.4g}, by the "
            f"rounding of its input and output. Received: a budget of {budget:g}"
        )
    while high - low > 1:  # `low` layers are too few, `high` are enough
        middle = (low + high) // 2
        costs[middle] = measure(ranking[:middle])
        low, high = (low, middle) if costs[middle] <= budget else (middle, high)
    return ranking[:high], costs[high]


class _Rounding(keras.layers.Layer):
    """Rounds to 256 levels between two values where it is switched on."""

    def __init__(self, low, high, **kwargs):
        super().__init__(**kwargs)
        # 0 is a level, as in every 8-bit tensor of LiteRT.
        low, high = min(low, 0.0), max(high, 0.0)
        self._step = (high - low) / 255 or 1.0
        self._zero = round(-low / self._step)
        self.on = self.add_weight(shape=(), initializer="zeros", trainable=False, name="on")

    def call(self, x):
        levels = ops.clip(ops.round(x / self._step) + self._zero, 0, 255)
        return ops.where(self.on > 0, (levels - self._zero) * self._step, x)

    def compute_output_shape(self, input_shape):
        return input_shape
