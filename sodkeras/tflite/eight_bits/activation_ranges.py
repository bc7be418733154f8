"""The range of a tensor's activations in 8 bits: not always from its smallest to its largest value.

One value in a thousand that is ten times larger than the rest takes nine tenths of the steps from them. Cutting it off
makes the steps finer and that value wrong. What counts is what becomes of the network's output, which depends on where
in the picture a value stands: the background's may be far off, the object's not.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from sodkeras.graph import Graph

#: By layer, between which values its result is rounded: (lowest, highest).
Ranges = dict[str, tuple[float, float]]

_BINS = 2048
#: Of the distance from 0 to an extreme value, the shares at which a cut is tried.
_SHARES = np.linspace(0.1, 1, 46)
#: XNNPACK takes an 8-bit sum whose inputs have 1/1024 to 256 times its step (LiteRT 2.3); with room to spare.
_FINEST, _COARSEST = 1 / 512, 128


def choose_ranges(model: keras.Model, batches: Sequence[np.ndarray]) -> Ranges:
    """The range of each layer's result that does the least to the network's output when it is rounded to 8 bits.

    An error δ in one value changes the output by its gradient g times δ. A random sign for each of the output's pixels
    makes g² a sample of the sum of squares over them all, and the mean of g²·δ² over pictures and pixels is what a
    range costs: within it, δ² is a twelfth of the squared step, beyond it the squared distance from its end. Source of
    weighing by squared gradients: Li et al., "BRECQ", ICLR 2021, Sec. 3.3.

    Args:
        model: a flat functional Keras model (see `sodkeras.graph`) with one input and one output.
        batches: preprocessed pictures `[1, H, W, 3]`, a list; 16 are enough.

    Returns:
        A dict of layers' names to (lowest, highest), 0 within; one for all results of a layer that is called often.
    """
    graph = Graph(model)
    owners = [call.layer.name for call in graph]
    names = list(dict.fromkeys(owners))
    of = [names.index(owner) for owner in owners]
    inner = keras.Model(model.inputs, [*(call.output for call in graph), model.outputs[0]])

    @tf.function(autograph=False)
    def extremes(batch):
        *values, _ = inner(batch, training=False)
        return tf.stack([[tf.reduce_min(value), tf.reduce_max(value)] for value in values])

    @tf.function(autograph=False)
    def weigh(batch, signs, ranges):
        with tf.GradientTape() as tape:
            *values, output = inner(batch, training=False)
            total = tf.reduce_sum(output * signs)
        gradients = tape.gradient(total, values, unconnected_gradients="zero")
        # Counted in the graph: all values and gradients of a large network at once would fill the memory.
        return tf.stack([_histogram(*one) for one in zip(values, gradients, tf.unstack(ranges), strict=True)])

    ranges = np.zeros((len(names), 2), "float32")
    for batch in batches:
        seen = extremes(batch).numpy()
        np.minimum.at(ranges[:, 0], of, seen[:, 0])
        np.maximum.at(ranges[:, 1], of, seen[:, 1])
    # What is 0 all over still needs a step.
    ranges[:, 1] = np.where(ranges[:, 1] > ranges[:, 0], ranges[:, 1], 1e-3)
    rng, weights = np.random.default_rng(0), np.zeros((len(names), _BINS))
    for batch in batches:
        signs = rng.choice(np.array([-1, 1], "float32"), (len(batch), *model.output_shape[1:]))
        np.add.at(weights, of, weigh(batch, signs, ranges[of]).numpy())
    chosen = {name: _cut(*one) for name, *one in zip(names, ranges, weights, strict=True)}
    _suit_sums(graph, chosen)
    return chosen


def _histogram(values, gradients, extremes):
    """Squared gradients, summed up by value: `[_BINS]`."""
    low, high = tf.unstack(extremes)
    places = tf.cast((values - low) / (high - low) * _BINS, tf.int32)
    places = tf.reshape(tf.clip_by_value(places, 0, _BINS - 1), [-1])
    return tf.math.unsorted_segment_sum(tf.reshape(tf.square(gradients), [-1]), places, _BINS)


def _cut(extremes, weights):
    """The (lowest, highest) of least cost for weights `[_BINS]` between two extremes."""
    low, high = map(float, extremes)
    if not weights.sum() > 0:  # nothing that this layer gives reaches the output
        return low, high
    values = low + (np.arange(_BINS) + 0.5) * (high - low) / _BINS
    lows, highs = (extreme * _SHARES if extreme else np.zeros(1) for extreme in (low, high))
    below, above = np.maximum(lows[:, None] - values, 0), np.maximum(values - highs[:, None], 0)
    inside = weights.sum() - ((below > 0) @ weights)[:, None] - ((above > 0) @ weights)[None]
    steps = (highs[None] - lows[:, None]) / 255
    costs = inside * steps**2 / 12 + (below**2 @ weights)[:, None] + (above**2 @ weights)[None]
    best = np.unravel_index(costs.argmin(), costs.shape)
    return float(lows[best[0]]), float(highs[best[1]])


def _suit_sums(graph, ranges):
    """Widens ranges in place until every sum's inputs have steps that XNNPACK can bring to the sum's."""
    sums = {}
    for call in graph:
        makers = [graph.maker(tensor) for tensor in call.inputs]
        inputs = [maker.layer.name for maker in makers if maker]
        if isinstance(call.layer, (keras.layers.Add, keras.layers.Subtract)):
            sums[call.layer.name] = inputs
        elif isinstance(call.layer, keras.layers.ReLU) and inputs and inputs[0] in sums:
            sums[call.layer.name] = sums[inputs[0]]  # the file has one operator for the two

    def widen(name, width):
        low, high = ranges[name]
        factor = max(1.0, width / (high - low))
        ranges[name] = low * factor, high * factor

    def width(name):
        low, high = ranges[name]
        return high - low

    for name, inputs in sums.items():
        widen(name, max(map(width, inputs), default=0) / _COARSEST)
    for name, inputs in reversed(sums.items()):
        for one in inputs:
            widen(one, width(name) * _FINEST)
