"""Parameters, multiply-adds and the CSNet papers' FLOPs of a network, per layer."""

import dataclasses
import math

import keras

from sodkeras.graph import Graph, flatten, is_convolution, is_depthwise, traits
from sodkeras.layers import DepthwiseNonLocal


@dataclasses.dataclass(frozen=True)
class LayerComplexity:
    """The cost of one layer for one picture.

    `name` is that of the flattened network's layer, `kind` its class, `output_shape` `(H, W, C)` of its last call; the
    counts are those of `Complexity`.
    """

    name: str
    kind: str
    output_shape: tuple
    parameters: int
    multiply_adds: int
    flops: int


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The cost of a network for one picture.

    Attributes:
        input_shape: `(H, W, C)` of the picture.
        layers: a `LayerComplexity` for each layer that costs anything, in running order.
        parameters: what training may change; statistics of batch norm are not counted.
        multiply_adds: of convolutions and of depthwise non-local modules, without their biases.
        flops: what the CSNet papers call FLOPs or MACC, see `complexity`.
    """

    input_shape: tuple
    layers: tuple
    parameters: int
    multiply_adds: int
    flops: int


def complexity(model, input_size=None):
    """Counts a network's parameters, multiply-adds and papers' FLOPs.

    The papers' FLOPs (ECCV 2020, Table 2, and TPAMI 2021; the rules are those of the released counter) add to one a
    multiply-add and one a bias addition of the convolutions:

    | layer | count |
    |---|---|
    | batch norm | 4 an element |
    | PReLU | 3 an element |
    | average pooling | 5 an input element |
    | max-pooling | k² an output element, k the kernel size of the convolution that it feeds |
    | bilinear resizing | 9 an output element |

    The resizing of the result to the picture's size, behind the last layer with weights, is not counted, nor is
    anything else: ReLU, sums, concatenations, sigmoid.

    Args:
        model: a network of this project, or any functional model with one picture as input.
        input_size: (height, width) of the picture; default the model's own, or else its preprocessing's.

    Returns:
        A `Complexity`.
    """
    size = tuple(input_size or model.input_shape[1:3])
    if None in size:
        size = model.preprocessing.size
    graph = Graph(flatten(model, (*size, model.input_shape[3])))
    feeds_weights = {}  # whether a tensor, by id, still goes through a layer with weights
    for call in reversed(graph.calls):
        feeds_weights[id(call.output)] = any(
            user.layer.weights or feeds_weights[id(user.output)] for user in graph.users(call.output)
        )

    counts = {}
    for call in graph:
        layer, inputs, output = call.layer, call.inputs, call.output
        multiply_adds = _multiply_adds(layer, output)
        if traits(layer).resizes:
            other = 9 * _elements(output) if feeds_weights[id(output)] and output.shape != inputs[0].shape else 0
        else:
            other = _other_flops(layer, inputs[0], output, [user.layer for user in graph.users(output)])
        before = counts.get(layer.name)
        counts[layer.name] = LayerComplexity(
            layer.name,
            type(layer).__name__,
            tuple(output.shape[1:]),
            _parameters(layer),
            multiply_adds + (before.multiply_adds if before else 0),
            multiply_adds + other + (before.flops if before else 0),
        )
    layers = tuple(row for row in counts.values() if row.parameters or row.flops)
    totals = (sum(getattr(row, name) for row in layers) for name in ("parameters", "multiply_adds", "flops"))
    return Complexity((*size, model.input_shape[3]), layers, *totals)


def _elements(tensor):
    return math.prod(tensor.shape[1:])


def _parameters(layer):
    weights = layer.weights
    if isinstance(layer, keras.layers.BatchNormalization):
        weights = [
            weight for weight in weights if weight is not layer.moving_mean and weight is not layer.moving_variance
        ]
    return sum(math.prod(weight.shape) for weight in weights)


def _multiply_adds(layer, output):
    if not is_convolution(layer):
        return layer.multiply_adds() if isinstance(layer, DepthwiseNonLocal) else 0
    inputs_per_output = 1 if is_depthwise(layer) else layer.kernel.shape[2]
    return math.prod(layer.kernel_size) * inputs_per_output * _elements(output)


def _other_flops(layer, entering, output, consumers):
    if is_convolution(layer):
        return _elements(output) if layer.use_bias else 0
    if isinstance(layer, keras.layers.BatchNormalization):
        return 4 * _elements(output)
    if isinstance(layer, keras.layers.PReLU):
        return 3 * _elements(output)
    if isinstance(layer, keras.layers.AveragePooling2D):
        return 5 * _elements(entering)
    if isinstance(layer, keras.layers.MaxPooling2D):
        return _elements(output) * sum(math.prod(conv.kernel_size) for conv in consumers if is_convolution(conv))
    return 0
