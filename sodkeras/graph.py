"""A network's inside: one graph of plain Keras layers, to look at, to rewrite, and to take values from."""

import collections
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sodkeras import keras_private
from sodkeras.keras_private import Tensor
from sodkeras.layers import ResizeLike


@dataclasses.dataclass(frozen=True)
class Traits:
    """What a layer does to its channels, as far as graphs are rewritten by it.

    Attributes:
        affine: f(s·x + b) = s·f(x) + b for any s and b, channel by channel: an average with weights of sum 1.
        homogeneous: f(s·x) = s·f(x) for s > 0, channel by channel.
        activation: a function of each value by itself.
        resizes: changes height and width by interpolation.
        keeps_scale: its 8-bit output has the scale of its input, so that nothing is rounded anew.
    """

    affine: bool = False
    homogeneous: bool = False
    activation: bool = False
    resizes: bool = False
    keeps_scale: bool = False


_TRAITS = {
    keras.layers.ReLU: Traits(homogeneous=True, activation=True),
    keras.layers.PReLU: Traits(homogeneous=True, activation=True),
    keras.layers.LeakyReLU: Traits(homogeneous=True, activation=True),
    keras.layers.MaxPooling2D: Traits(homogeneous=True, keeps_scale=True),
    keras.layers.AveragePooling2D: Traits(affine=True, homogeneous=True),
    keras.layers.UpSampling2D: Traits(affine=True, homogeneous=True, resizes=True, keeps_scale=True),
    keras.layers.ZeroPadding2D: Traits(keeps_scale=True),
    ResizeLike: Traits(affine=True, homogeneous=True, resizes=True, keeps_scale=True),
}


def traits(layer: keras.Layer) -> Traits:
    """The `Traits` of a layer; none for one of a class that is not known here."""
    found = next((_TRAITS[kind] for kind in type(layer).__mro__ if kind in _TRAITS), Traits())
    if getattr(layer, "max_value", None) is not None:  # what a ReLU6 cuts off depends on the scale
        return dataclasses.replace(found, homogeneous=False)
    return found


def is_convolution(layer: keras.Layer) -> bool:
    """Whether a layer is a convolution, depthwise or not."""
    return isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))


def is_depthwise(layer: keras.Layer) -> bool:
    """Whether a layer is a depthwise convolution, whose kernel is `[h, w, C, multiplier]`."""
    return isinstance(layer, keras.layers.DepthwiseConv2D)


def kernel_axes(layer: keras.Layer) -> tuple[int, ...]:
    """The axes of a convolution's kernel that one output channel sums over."""
    return (0, 1) if is_depthwise(layer) else (0, 1, 2)


def along_outputs(layer: keras.Layer, vector: Any) -> Any:
    """A vector of one value for each output channel, or one number, in the shape that multiplies a layer's kernel."""
    return vector[:, None] if is_depthwise(layer) and np.ndim(vector) else vector


def convolve(layer: keras.Layer, x: Tensor, kernel: Tensor) -> Tensor:
    """What a convolution layer computes of `x` with another kernel, without bias and activation."""
    operation = ops.depthwise_conv if is_depthwise(layer) else ops.conv
    return operation(x, kernel, layer.strides, layer.padding, dilation_rate=layer.dilation_rate)


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """A layer's call in a graph.

    Attributes:
        layer: the layer; another call may share it.
        inputs: the tensors it was called on.
        output: the tensor it made.
    """

    layer: keras.Layer
    inputs: tuple[Tensor, ...]
    output: Tensor
    _node: Any

    def again(self, values: dict[int, Any]) -> Any:
        """The layer called as it was, on other values, by the ids of the tensors in whose places they stand."""
        arguments, keywords = keras_private.arguments(self._node, values)
        return self.layer(*arguments, **keywords)


class Graph:
    """A read-only view of a functional Keras model: its calls in running order, and who makes and uses a tensor.

    Args:
        model: a functional Keras model, each of whose layers has one output.

    Attributes:
        model: the same.
        calls: a tuple of `Call`; those that the layers had in other models are not among them.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.calls = tuple(
            Call(node.operation, tuple(node.input_tensors), node.outputs[0], node)
            for node in keras_private.calls_in_order(model)
        )
        self._makers = {id(call.output): call for call in self.calls}
        self._users: dict[int, list[Call]] = collections.defaultdict(list)
        for call in self.calls:
            for tensor in call.inputs:
                self._users[id(tensor)].append(call)
        self._outputs = collections.Counter(map(id, model.outputs))

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def maker(self, tensor: Tensor) -> Call | None:
        """The call that made a tensor; None for the model's input."""
        return self._makers.get(id(tensor))

    def users(self, tensor: Tensor) -> list[Call]:
        """The calls on a tensor, one that takes it twice twice."""
        return self._users.get(id(tensor), [])

    def uses(self, tensor: Tensor) -> int:
        """How often a tensor is used, as an output of the model, too."""
        return len(self.users(tensor)) + self._outputs[id(tensor)]


def flatten(model: keras.Model, input_shape: Sequence[int] | None = None) -> keras.Model:
    """The same function as a functional graph without composite layers; the weights are shared.

    A composite layer (one that holds other layers) is replaced by what its `call` does. Lowering for phones,
    quantization-aware training and profiling work on this graph.

    Args:
        model: a functional Keras model with one input.
        input_shape: `(H, W, C)` of the flat model; default the model's own.

    Returns:
        A functional `keras.Model` with the model's output structure.
    """
    flat = keras.Model(model.input, model.output)  # of Keras's own class, and not compiled
    shape = tuple(input_shape or model.input_shape[1:])
    while True:
        # On symbolic tensors a composite's `call` runs its parts, which record themselves: one level a round.
        cloned = keras.models.clone_model(
            flat,
            input_tensors=keras.tree.map_structure(lambda tensor: keras.Input(shape, name=tensor.name), flat.input),
            clone_function=lambda layer: layer,
            call_function=lambda layer, *arguments, **keywords: _in_parts(layer)(*arguments, **keywords),
        )
        flat = keras.Model(cloned.input, cloned.output, name=f"{model.name}_flat")
        if not any(map(keras_private.is_composite, flat.layers)):
            return flat


def _in_parts(layer):
    return layer.call if keras_private.is_composite(layer) else layer


def copy(model: keras.Model) -> keras.Model:
    """A flat functional model with the same layers, names and values, whose weights are its own."""
    copied = keras.models.clone_model(model)
    copied.set_weights(model.get_weights())
    return copied


def rewrite(model: keras.Model, replace: Callable[[Call, list[Tensor]], Tensor | None]) -> keras.Model:
    """A functional model with some calls replaced.

    Args:
        model: a flat functional Keras model with one input (see `flatten`).
        replace: a function of a `Call` of the old model and of the new model's tensors that stand in the places of its
            inputs. It returns the new model's tensor for the call's output, or None to call the same layer.

    Returns:
        A functional Keras model with the input and output structure of the old one, or the old one if nothing was
        replaced. Layers that were kept share their weights with it; calls whose result nothing uses any more are gone.
    """
    tensors = {id(tensor): tensor for tensor in model.inputs}
    for call in Graph(model):
        before = [tensors[id(tensor)] for tensor in call.inputs]
        after = replace(call, before)
        if after is None and all(new is old for new, old in zip(before, call.inputs, strict=True)):
            after = call.output  # nothing in front of it has changed
        elif after is None:
            after = call.again(tensors)
        tensors[id(call.output)] = after
    outputs = keras.tree.map_structure(lambda tensor: tensors[id(tensor)], model.output)
    if all(new is old for new, old in zip(keras.tree.flatten(outputs), model.outputs, strict=True)):
        return model
    return keras.Model(model.input, outputs, name=model.name)


def run_on(model: keras.Model, tensor: Tensor) -> Tensor:
    """The output of a functional model with one input on a tensor of another graph; the layers are shared."""
    values = {id(model.inputs[0]): tensor}
    for call in Graph(model):
        values[id(call.output)] = call.again(values)
    return values[id(model.outputs[0])]


def tap(model: keras.Model, tensors: Any) -> Callable[[np.ndarray], Any]:
    """A function from a batch to the values that tensors inside a functional graph take.

    Args:
        model: a functional Keras model with one input.
        tensors: tensors of it, in lists and dicts as one likes.

    Returns:
        A function of a batch, an array; it gives arrays in the same lists and dicts.
    """
    if not keras.tree.flatten(tensors):
        return lambda batch: tensors
    taps = keras.Model(model.inputs, tensors)
    # Compiled, a network of hundreds of small layers runs many times faster than layer by layer; with XLA, which Keras
    # takes where nothing is said, TensorFlow would compile for a minute, and again for the last batch, a smaller one.
    taps.compile(jit_compile=keras.backend.backend() == "jax")
    return lambda batch: keras.tree.pack_sequence_as(tensors, keras.tree.flatten(taps.predict_on_batch(batch)))
