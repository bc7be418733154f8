"""PReLU in forms that 8-bit XNNPACK has.

8-bit PRELU, MAXIMUM and MUL by a vector run outside XNNPACK (LiteRT 2.3) and split the graph; RELU inside a
convolution or a sum costs nothing, LEAKY_RELU, which has one slope for the tensor, next to nothing. With a slope α a
channel, PReLU(z) = max(z, 0) + α·min(z, 0) is, exactly,

    relu((1 - α)·z) + α·z          where α ≤ 1
    α·z - relu((α - 1)·z)          where α > 1

two depthwise or 1×1 convolutions and a sum. But 8 bits often cannot tell it from something cheaper: the released
CSNet's slopes have decayed, most of them to under 1/127 of the other half's.
"""

import dataclasses
from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from sodkeras.graph import Graph, along_outputs, is_depthwise, rewrite, tap
from sodkeras.tflite.passes.new_layers import convolution_like, depthwise, weights

#: A cheaper form is taken where what it changes stays this far under the channel's own signal, for every channel.
NEGLIGIBLE_DECIBELS = 35
#: XNNPACK's 8-bit LEAKY_RELU takes no slope nearer to 0 than 1/256 times the ratio of the scales, Keras's none under 0.
_SMALLEST_SLOPE = 1 / 128


@dataclasses.dataclass(frozen=True)
class Form:
    """How a PReLU is computed in 8 bits.

    Args:
        name: "relu", "leaky" or "exact".
        slope: the one negative slope, where there is one.
        decibels: by how much the signal of the channel that suffers most exceeds what the form changes in it; infinite
            where it changes nothing.
    """

    name: str
    slope: float = 0.0
    decibels: float = np.inf


def exact_forms(model: keras.Model) -> dict[str, Form]:
    """For each PReLU of a flat model, by name, the cheapest `Form` that is the same function."""

    def form(alpha):
        if not alpha.any():
            return Form("relu")
        same = (alpha == alpha[0]).all() and _SMALLEST_SLOPE <= alpha[0] <= 1
        return Form("leaky", float(alpha[0])) if same else Form("exact")

    return {layer.name: form(slopes(layer)) for layer in model.layers if isinstance(layer, keras.layers.PReLU)}


def choose_forms(
    model: keras.Model, batches: Iterable[np.ndarray], decibels: float = NEGLIGIBLE_DECIBELS
) -> dict[str, Form]:
    """Finds the cheapest form for each PReLU that 8 bits cannot tell from it.

    Args:
        model: a flat functional Keras model.
        batches: preprocessed pictures `[B, H, W, 3]`; a few tell.
        decibels: see `NEGLIGIBLE_DECIBELS`.

    Returns:
        A dict of the PReLUs' names to their `Form`.
    """
    found = [call for call in Graph(model) if isinstance(call.layer, keras.layers.PReLU)]
    if not found:
        return {}
    values_of = tap(model, [call.inputs[0] for call in found])
    totals, pixels = [np.zeros(1) for _ in found], [0] * len(found)
    for batch in batches:
        for index, before in enumerate(values_of(batch)):
            z = before.reshape(-1, before.shape[-1]).astype(np.float64)
            positive, negative = np.maximum(z, 0), np.maximum(-z, 0)
            moments = [positive.sum(0), (positive**2).sum(0), negative.sum(0), (negative**2).sum(0)]
            totals[index] = totals[index] + np.stack(moments)
            pixels[index] += len(z)
    return {
        call.layer.name: _choose(slopes(call.layer), total / count, decibels)
        for call, total, count in zip(found, totals, pixels, strict=True)
    }


def _choose(alpha, moments, decibels):
    """The form for slopes `[C]` and, `[4, C]`, mean and mean square of the positive half, then of the negative one."""
    variances = np.maximum(moments[[1, 3]] - moments[[0, 2]] ** 2, 0)
    # The halves never overlap: the mean of their product is 0.
    signal = variances[0] + alpha**2 * variances[1] + 2 * alpha * moments[0] * moments[2]

    def least_decibels(slope):
        error = (alpha - slope) ** 2 * variances[1]
        # A channel that hardly varies has nothing to lose but its mean.
        error = np.where(signal > 1e-9 * (moments[1] + moments[3]), error, 0)
        with np.errstate(divide="ignore"):
            return float(np.min(10 * np.log10(np.maximum(signal, np.finfo(float).tiny)) - 10 * np.log10(error)))

    candidates = [Form("relu", 0.0, least_decibels(0.0))]
    candidates += [
        Form("leaky", float(slope), least_decibels(slope))
        for slope in np.unique(alpha)
        if _SMALLEST_SLOPE <= slope <= 1
    ]
    # ReLU costs nothing: the first that is good enough, and among the leaky ones the best.
    good = [form for form in candidates[:1] if form.decibels >= decibels] or sorted(
        (form for form in candidates[1:] if form.decibels >= decibels), key=lambda form: -form.decibels
    )
    return good[0] if good else Form("exact")


def replace_prelu(model: keras.Model, forms: dict[str, Form]) -> keras.Model:
    """Puts the chosen forms in the place of every PReLU.

    Args:
        model: a flat functional Keras model, folded (see `sodkeras.tflite.passes.fold`).
        forms: as `choose_forms` gives them.

    Returns:
        A flat model without PReLU.
    """
    graph = Graph(model)
    #: For the id of a tensor of the old model, what the layer that made it was called on in the new one.
    sources = {}

    def replace(call, inputs):
        layer = call.layer
        sources[id(call.output)] = inputs[0]
        if not isinstance(layer, keras.layers.PReLU):
            return None
        form = forms[layer.name]
        if form.name == "relu":
            return keras.layers.ReLU(name=layer.name)(inputs[0])
        if form.name == "leaky":
            return keras.layers.LeakyReLU(negative_slope=form.slope, name=layer.name)(inputs[0])
        maker = graph.maker(call.inputs[0])
        return _exact(layer, inputs[0], maker and maker.layer, sources.get(id(call.inputs[0])))

    return rewrite(model, replace)


def slopes(layer: keras.layers.PReLU) -> np.ndarray:
    """A PReLU's slopes, float64 `[C]`.

    Raises:
        ValueError: if they differ from pixel to pixel.
    """
    alpha = ops.convert_to_numpy(layer.alpha).astype(np.float64)
    if alpha.size != alpha.shape[-1]:
        raise ValueError(f"{layer.name} needs shared_axes=[1, 2]. Received: slopes of the shape {alpha.shape}")
    return alpha.reshape(-1)


def _exact(layer, inputs, maker, source):
    alpha = slopes(layer)

    def scaled(factor, part, activation):
        """The PReLU's input times a factor a channel: by another copy of what made it, where that is cheap."""
        factor, name = factor.astype("float32"), f"{layer.name}_{part}"
        if not _is_cheap(maker):
            return depthwise(inputs, factor[None, None], name=name, activation=activation)
        kernel, bias = weights(maker)
        bias = np.zeros(len(factor)) if bias is None else bias
        kernel, bias = (kernel * along_outputs(maker, factor)).astype("float32"), (bias * factor).astype("float32")
        return convolution_like(maker, source, kernel, bias, name=name, activation=activation)

    linear = scaled(alpha, "linear", None)
    if (alpha <= 1).any():
        bend = scaled(np.maximum(1 - alpha, 0), "bend", "relu")
        linear = keras.layers.Add(name=f"{layer.name}_sum")([linear, bend])
    if (alpha > 1).any():
        bend = scaled(np.maximum(alpha - 1, 0), "bend_down", "relu")
        linear = keras.layers.Subtract(name=f"{layer.name}_difference")([linear, bend])
    return linear


def _is_cheap(maker):
    if is_depthwise(maker):
        return maker.activation is keras.activations.linear
    is_1x1 = isinstance(maker, keras.layers.Conv2D) and maker.kernel_size == (1, 1)
    return is_1x1 and maker.activation is keras.activations.linear
