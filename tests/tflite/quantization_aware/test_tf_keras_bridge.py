"""The way to tf_keras and back: the same function, whatever the layers are."""

import keras
import numpy as np
import pytest

from helpers import photo, tiny_model
from sodkeras import SodkerasError
from sodkeras.layers import BilinearUpSampling2D, DepthwiseNonLocal, ResizeLike
from sodkeras.tflite.passes import lower
from sodkeras.tflite.quantization_aware.tf_keras_bridge import check_bridge, copy_weights, to_tf_keras


def network_of_every_layer():
    """What CSNet's, U²-Net's and DNL's lowered networks are made of, with random weights."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    inputs = keras.Input((12, 16, 3))
    x = layers.ZeroPadding2D(1)(inputs)
    x = layers.Conv2D(6, 3, strides=2, activation="relu", bias_initializer="random_normal")(x)
    activation = layers.ReLU()
    a = activation(layers.DepthwiseConv2D(3, dilation_rate=2, padding="same", bias_initializer="random_normal")(x))
    b = layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")(layers.Conv2D(6, 1)(x))
    c = layers.LeakyReLU(negative_slope=0.2)(activation(layers.Subtract()([a, b])))
    d = BilinearUpSampling2D(2)(layers.MaxPooling2D(2, padding="same")(c))
    d = DepthwiseNonLocal(output_initializer="random_normal")(ResizeLike()(d, c))
    e = ResizeLike()(layers.GlobalAveragePooling2D(keepdims=True)(d), c)
    x = layers.Concatenate()([layers.Add()([a, b]), d, e])
    return keras.Model(inputs, ResizeLike(name="end")(layers.Conv2D(1, 1)(x), inputs))


def test_every_layer_computes_the_same_in_tf_keras():
    model = network_of_every_layer()
    batch = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    rebuilt = to_tf_keras(model)
    check_bridge(model, rebuilt, batch)
    layers = {layer.name: layer for layer in rebuilt.layers}
    assert layers["end"].name == "end" and not isinstance(rebuilt, keras.Model)

    # A change there comes back: to each weight of each layer.
    for layer in rebuilt.layers:
        layer.set_weights([weight * 1.25 + 0.01 for weight in layer.get_weights()])
    with pytest.raises(SodkerasError, match="a fault of sodkeras"):
        check_bridge(model, rebuilt, batch)
    copy_weights(layers, model)
    check_bridge(model, rebuilt, batch)


def test_a_lowered_network_computes_the_same_in_tf_keras():
    model = tiny_model()
    flat = lower(model.inference_model())
    rebuilt = to_tf_keras(flat)
    check_bridge(flat, rebuilt, model.preprocessing(photo()))
    assert rebuilt.count_params() == flat.count_params()
