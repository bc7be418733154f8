"""What of a network's pre- and post-processing is inside the graph: by choice, and said in the file's metadata.

Inside or outside, a picture's map is the same; the runtime (`sodkeras.runtimes`) does what the graph does not.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.graph import Graph, run_on
from sodkeras.layers import ResizeLike
from sodkeras.preprocessing import Preprocessing
from sodkeras.tflite.passes.new_layers import depthwise


def with_ends(
    model: keras.Model, preprocessing: Preprocessing, inside: Sequence[str]
) -> tuple[keras.Model, Preprocessing]:
    """A network with the chosen ends.

    Args:
        model: a flat functional Keras model, folded, that ends in a resize (perhaps) and a sigmoid.
        preprocessing: the network's `Preprocessing`.
        inside: of `sodkeras.tflite.inside.PARTS`.

    Returns:
        The model and its `Preprocessing`. With the normalisation inside, that has a mean of 0 and a deviation of 1/255:
        a picture's bytes come out as they are (where the divisor is the picture's maximum, stretched to 255).

    Raises:
        SodkerasError: if the resize is to be outside and the network does not end in one that an app can do.
    """
    if not ("resize" in inside and "sigmoid" in inside):
        model = _without(model, inside)
    if "normalisation" in inside:
        model = _normalising(model, preprocessing)
        preprocessing = dataclasses.replace(preprocessing, mean=(0, 0, 0), standard_deviation=(1 / 255,) * 3)
    return model, preprocessing


def _without(model, inside):
    graph, ends = Graph(model), {}
    call = graph.maker(model.outputs[0])
    while call is not None and (part := _part(call.layer)) is not None and part not in ends:
        ends |= {part: call} if part else {}
        call = graph.maker(call.inputs[0])
    if "sigmoid" not in ends:
        raise SodkerasError(f"The network does not end in a sigmoid. Received: {model.name}")
    if "resize" not in inside and "resize" not in ends:
        raise SodkerasError(
            "The network does not end in a bilinear resize with half-pixel centres: leave 'resize' in --inside. "
            f"Received: {model.name}"
        )
    tensor = ends["sigmoid" if "resize" in inside else "resize"].inputs[0]
    if "sigmoid" in inside:
        tensor = keras.layers.Activation("sigmoid", name="saliency")(tensor)
    return keras.Model(model.input, tensor, name=model.name)


def _part(layer):
    """Which end a layer is part of; "" for one that does nothing, None for the body."""
    if isinstance(layer, keras.layers.Activation):
        return {keras.activations.sigmoid: "sigmoid", keras.activations.linear: ""}.get(layer.activation)
    if isinstance(layer, ResizeLike):
        return None if layer.align_corners else "resize"
    if isinstance(layer, keras.layers.UpSampling2D):
        return "resize" if layer.interpolation == "bilinear" else None
    return None


def _normalising(model, preprocessing):
    inputs = keras.Input(model.input_shape[1:], name="rgb")
    deviation = np.float32(preprocessing.standard_deviation)
    # Not folded into the first convolution: that pads with 0, which is not a byte of 0.
    kernel = (np.float32(1 / 255) / deviation)[None, None]
    normalised = depthwise(inputs, kernel, -np.float32(preprocessing.mean) / deviation, name="normalisation")
    return keras.Model(inputs, run_on(model, normalised), name=model.name)
