"""A flat Keras 3 network in tf_keras, the Keras 2 that tensorflow-model-optimization works with, and the way back."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from sodkeras.errors import SodkerasError
from sodkeras.graph import Graph, Tensor

#: The largest difference of an output that the other Keras may make, times the largest value where that is over 1.
TOLERANCE = 1e-5
#: What tf_keras calls an argument of the same layer.
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
#: Arguments that say nothing about a layer whose weights are set.
_OF_TRAINING = ("initializer", "regularizer", "constraint")


def to_tf_keras(model: keras.Model, wrap: Callable[[Any, Tensor], Any] = lambda layer, tensor: layer) -> tf_keras.Model:
    """Rebuilds a network in tf_keras, layer by layer from their configs, and copies its weights.

    Args:
        model: a flat functional Keras 3 model with one input and one output; every layer that has weights is called
            once (`sodkeras.tflite.passes.lower` makes such).
        wrap: a function of a new layer and of the old model's tensor that it makes; what it returns is called in the
            layer's place.

    Returns:
        A functional tf_keras model; its layers have the names of the old ones, with a number where one is called again.
    """
    inputs = tf_keras.Input(model.input_shape[1:], name=model.inputs[0].name)
    tensors = {id(model.inputs[0]): _wrapped_input(inputs, model.inputs[0], wrap)}
    rebuilt, names = [], set()
    for call in Graph(model):
        before = [tensors[id(tensor)] for tensor in call.inputs]
        name, number = call.layer.name, 1
        while name in names:
            number += 1
            name = f"{call.layer.name}_{number}"
        names.add(name)
        layer = _rebuild(call.layer, call.inputs, name)
        tensors[id(call.output)] = wrap(layer, call.output)(before if len(before) > 1 else before[0])
        rebuilt.append((call.layer, layer))
    for old, new in rebuilt:
        new.set_weights(old.get_weights())
    return tf_keras.Model(inputs, tensors[id(model.outputs[0])], name=model.name)


def _wrapped_input(inputs, tensor, wrap):
    """The input behind a layer that does nothing, so that it can be wrapped as any other tensor."""
    return wrap(tf_keras.layers.Activation("linear", name="picture_as_it_is"), tensor)(inputs)


def check_bridge(model: keras.Model, rebuilt: tf_keras.Model, batch: np.ndarray) -> None:
    """Raises SodkerasError if the two differ on preprocessed pictures `[B, H, W, 3]` by more than `TOLERANCE`."""
    expected = keras.ops.convert_to_numpy(model(batch, training=False))
    received = rebuilt(batch, training=False).numpy()
    difference = float(np.max(np.abs(expected - received)))
    if not difference <= TOLERANCE * max(1.0, float(np.max(np.abs(expected)))):
        raise SodkerasError(
            "The network computes something else in tf_keras: this is a fault of sodkeras; please report it with the "
            f"network. Received: a largest difference of {difference:.2g}"
        )


def copy_weights(layers: Mapping[str, Any], model: keras.Model) -> None:
    """Puts trained weights into a Keras 3 network in place.

    Args:
        layers: tf_keras layers, or wrappers of such, by the names of the network's.
        model: what `to_tf_keras` was given.
    """
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([weight.numpy() for weight in layers[layer.name].trainable_weights])


@tf_keras.utils.register_keras_serializable("sodkeras")
class KerasLayer(tf_keras.layers.Layer):
    """A Keras 3 layer in a tf_keras network: for layers that tf_keras does not have.

    Args:
        serialized: the layer as JSON.
        shapes: of its inputs, with the batch as None.
    """

    def __init__(self, serialized: str, shapes: Sequence, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.serialized = serialized
        self.shapes = [tuple(shape) for shape in shapes]
        layer = keras.saving.deserialize_keras_object(json.loads(serialized))
        self._result = layer(*[keras.Input(shape[1:]) for shape in self.shapes]).shape
        # As an attribute it would be taken for a part with weights of its own.
        self._keras_layer = lambda: layer

    def build(self, input_shape: Any) -> None:
        self.values = [
            self.add_weight(variable.path.replace("/", "_"), shape=variable.shape, trainable=variable.trainable)
            for variable in self._keras_layer().variables
        ]
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        layer = self._keras_layer()
        values = dict(zip((variable.path for variable in layer.variables), self.values, strict=True))
        outputs, _ = layer.stateless_call(
            [values[variable.path] for variable in layer.trainable_variables],
            [values[variable.path] for variable in layer.non_trainable_variables],
            *tf.nest.flatten(inputs),
        )
        return outputs

    def compute_output_shape(self, input_shape: Any) -> tf.TensorShape:
        return tf.TensorShape(self._result)

    def get_config(self) -> dict:
        return super().get_config() | {"serialized": self.serialized, "shapes": self.shapes}


def _rebuild(layer, inputs, name):
    kind = getattr(tf_keras.layers, type(layer).__name__, None)
    if kind is None or getattr(keras.layers, type(layer).__name__, None) is not type(layer):
        serialized = json.dumps(keras.saving.serialize_keras_object(layer))
        return KerasLayer(serialized, [tensor.shape for tensor in inputs], name=name)
    known = inspect.signature(kind.__init__).parameters
    config = {}
    for key, value in layer.get_config().items():
        key = _RENAMED.get((kind.__name__, key), key)
        if key in known and not key.endswith(_OF_TRAINING):
            config[key] = value
    return kind.from_config(config | {"name": name})
