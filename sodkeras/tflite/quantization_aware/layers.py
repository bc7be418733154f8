"""What rounding to 8 bits does, inside a tf_keras network, by tensorflow-model-optimization.

Importing tensorflow-model-optimization sets `TF_USE_LEGACY_KERAS` for the process: this module belongs into one of its
own, `sodkeras.tflite.quantization_aware.process`.
"""

import contextlib
import warnings
from collections.abc import Container, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from sodkeras.graph import Graph, Tensor, tap, traits
from sodkeras.tflite.eight_bits.activation_ranges import Ranges
from sodkeras.tflite.private import output_range
from sodkeras.tflite.quantization_aware.tf_keras_bridge import KerasLayer, to_tf_keras

_quantization: Any = tfmot.quantization.keras
#: Layers that take over the rounding of what is made for them alone: LiteRT fuses a ReLU with the layer in front, and a
#: concatenation has one scale for all its inputs.
_TAKE_OVER = (keras.layers.ReLU, keras.layers.Concatenate)


@tf.autograph.experimental.do_not_convert  # nothing here needs it, and it takes long
def quantize_aware(model: keras.Model, float_layers: Container[str]) -> tuple[tf_keras.Model, tf_keras.Model]:
    """A tf_keras network that computes as its 8-bit file will, differentiably, once `set_ranges` has told it ranges.

    The rounding is where LiteRT's is: kernels in steps of their largest weight a channel, and every tensor that the
    8-bit file holds in memory.

    Args:
        model: a flat functional Keras 3 model for integers, without its sigmoid.
        float_layers: the names of layers whose weights stay in float.

    Returns:
        (the annotated tf_keras network, which still computes in float; the network that rounds).
    """
    rounded = rounded_tensors(model)

    def annotate(layer, tensor):
        kernel = None if layer.name in float_layers else _kernel_name(layer)
        config = Rounding(kernel, id(tensor) in rounded)
        return _quantization.quantize_annotate_layer(layer, quantize_config=config) if config.rounds else layer

    with _known_phase(), _quantization.quantize_scope({"Rounding": Rounding, "KerasLayer": KerasLayer}):
        annotated = to_tf_keras(model, annotate)
        return annotated, _quantization.quantize_apply(annotated, scheme=_AsAnnotated())


def set_ranges(quantized: tf_keras.Model, ranges: Ranges) -> None:
    """Tells a network of `quantize_aware` between which values to round, as `training_ranges` gives it."""
    for layer in quantized.layers:
        if isinstance(layer, tf_keras.layers.Wrapper) and layer.quantize_config.output:
            low, high = ranges[layer.layer.name]
            variables = output_range(layer)
            variables["low"].assign(low)
            variables["high"].assign(high)


@contextlib.contextmanager
def _known_phase():
    """Builds networks for inference; a later call still says what it is for.

    With the phase unknown tfmot makes a condition with two graphs of every tensor that is rounded, which takes long.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras calls the scope deprecated, and has nothing else for this
        with tf_keras.backend.learning_phase_scope(0):
            yield


def layers_by_name(quantized: tf_keras.Model) -> dict[str, Any]:
    """The layers of a network of `quantize_aware`, in their wrappers, by the names that they had without."""
    return {getattr(layer, "layer", layer).name: layer for layer in quantized.layers}


def rounded_tensors(model: keras.Model) -> dict[int, tuple[str, Tensor]]:
    """The tensors of a flat Keras model that are rounded to 8 bits: a dict of their ids to (layer's name, tensor)."""
    graph, found = Graph(model), {id(model.inputs[0]): ("picture_as_it_is", model.inputs[0])}
    for call in graph:
        users = graph.users(call.output)
        is_taken_over = len(users) == 1 and isinstance(users[0].layer, _TAKE_OVER)
        if not (is_taken_over or traits(call.layer).keeps_scale or _does_nothing(call.layer)):
            found[id(call.output)] = (call.layer.name, call.output)
    return found


def training_ranges(model: keras.Model, ranges: Ranges, batches: Iterable[np.ndarray]) -> Ranges:
    """Between which values each rounded tensor is rounded in training, and in the file.

    They are those that `sodkeras.tflite.eight_bits.activation_ranges` chooses, but for two tensors, which take their
    smallest and largest value on pictures: the picture itself, and the logits. Logits may be cut off where the sigmoid
    is flat, which leaves the map as it is; but what is cut off gets no gradient, and the loss from logits goes on
    growing.

    Args:
        model: as for `quantize_aware`.
        ranges: a dict of layers' names to (lowest, highest).
        batches: preprocessed pictures `[B, H, W, 3]`.

    Returns:
        A dict of the layers' names to (lowest, highest).
    """
    rounded, graph = rounded_tensors(model), Graph(model)
    logits = model.outputs[0]
    while id(logits) not in rounded and (call := graph.maker(logits)):
        logits = call.inputs[0]
    (picture, _), (last, _) = rounded[id(model.inputs[0])], rounded[id(logits)]
    values_of = tap(model, [model.inputs[0], logits])
    lowest, highest = np.zeros(2), np.zeros(2)
    for batch in batches:
        values = values_of(batch)
        lowest = np.minimum(lowest, [value.min() for value in values])
        highest = np.maximum(highest, [value.max() for value in values])
    # A tensor that was 0 all over still needs a step.
    highest = np.where(highest > lowest, highest, 1e-3)
    measured = dict(zip((picture, last), zip(lowest.tolist(), highest.tolist(), strict=True), strict=True))
    return {name: measured.get(name) or ranges[name] for name, _ in rounded.values()}


class KernelRounding(_quantization.quantizers.Quantizer):
    """LiteRT's rounding of a kernel: symmetric, 127 steps to the largest weight of each output channel.

    tensorflow-model-optimization's own takes the last axis for the channels, which of a depthwise kernel has length 1.

    Args:
        taps: the axes that share a step.
    """

    def __init__(self, taps: Sequence[int]) -> None:
        self.taps = tuple(taps)

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict:
        return {}

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> tf.Tensor:
        step = tf.reduce_max(tf.abs(inputs), self.taps, keepdims=True) / 127
        rounded = tf.round(tf.math.divide_no_nan(inputs, step)) * step
        return inputs + tf.stop_gradient(rounded - inputs)

    def get_config(self) -> dict:
        return {"taps": self.taps}


class ActivationRounding(_quantization.quantizers.Quantizer):
    """LiteRT's rounding of a tensor in a range that stays until it is set anew; 0 is one of its 255 steps.

    tensorflow-model-optimization's own ranges move with each batch, and the file would have others than training had.
    """

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict:
        def end(which, value):
            start = tf_keras.initializers.Constant(value)
            return layer.add_weight(f"{name}_{which}", initializer=start, trainable=False)

        return {"low": end("low", -6.0), "high": end("high", 6.0)}

    def __call__(self, inputs: Any, training: Any, weights: Any, **kwargs: Any) -> tf.Tensor:
        return tf.quantization.fake_quant_with_min_max_vars(inputs, weights["low"], weights["high"])

    def get_config(self) -> dict:
        return {}


class Rounding(_quantization.QuantizeConfig):
    """What of a layer is rounded.

    Args:
        kernel: the attribute that holds its kernel, or None.
        output: whether its output is.
    """

    def __init__(self, kernel: str | None, output: bool) -> None:
        self.kernel, self.output = kernel, output

    @property
    def rounds(self) -> bool:
        """Whether anything is."""
        return bool(self.kernel or self.output)

    def get_weights_and_quantizers(self, layer: Any) -> list:
        if not self.kernel:
            return []
        taps = (0, 1) if self.kernel == "depthwise_kernel" else (0, 1, 2)
        return [(getattr(layer, self.kernel), KernelRounding(taps))]

    def set_quantize_weights(self, layer: Any, quantize_weights: list) -> None:
        if self.kernel:
            setattr(layer, self.kernel, quantize_weights[0])

    def get_activations_and_quantizers(self, layer: Any) -> list:
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list) -> None:
        pass

    def get_output_quantizers(self, layer: Any) -> list:
        return [ActivationRounding()] if self.output else []

    def get_config(self) -> dict:
        return {"kernel": self.kernel, "output": self.output}


class _AsAnnotated:
    """A scheme for `quantize_apply` that does what the annotations say; lowering has done the rest."""

    supports = staticmethod(lambda layer: False)

    def get_layout_transformer(self):
        return self

    def get_quantize_registry(self):
        return self

    def apply(self, model, layer_quantize_map):
        return model, layer_quantize_map


def _kernel_name(layer):
    if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        return "depthwise_kernel"
    return "kernel" if isinstance(layer, tf_keras.layers.Conv2D) else None


def _does_nothing(layer):
    return isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.linear
