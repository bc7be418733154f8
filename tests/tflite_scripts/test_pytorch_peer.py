"""The network that LiteRT is timed against in PyTorch is the same network."""

import pathlib

import numpy as np
import pytest

from helpers import load_script

BENCHMARKS = pathlib.Path(__file__).parents[2] / "tflite/benchmarks"


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("torch")
    return load_script(BENCHMARKS / "pytorch_peer.py")


def test_pytorch_computes_what_keras_computes(script):
    """Every kind of layer that CSNet has, with weights and statistics of which none is 0 or 1."""
    import keras
    import torch
    from keras import layers

    from sodkeras.layers import BilinearUpSampling2D
    from sodkeras.layers.scaled_conv import ScaledConv2D, ScaledDepthwiseConv2D

    picture = keras.Input((16, 24, 3))
    fine = layers.Conv2D(8, 3, padding="same", activation="linear")(picture)
    fine = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(fine))
    coarse = layers.Conv2D(8, 1, use_bias=False)(layers.MaxPooling2D(2)(fine))
    coarse = ScaledDepthwiseConv2D(3, padding="same", use_bias=False)(coarse)
    coarse = ScaledConv2D(8, 3, padding="same", dilation_rate=2)(layers.AveragePooling2D(2)(coarse))
    fine = layers.Add()([fine, BilinearUpSampling2D(4)(coarse)])
    both = layers.Concatenate()([layers.Activation("relu")(fine), fine])
    model = keras.Model(picture, layers.Activation("sigmoid")(layers.Conv2D(1, 1)(both)))
    random = np.random.default_rng(0)
    for variable in model.variables:
        scaled = 0.003 if variable.path.startswith("scaled") else 0.3
        values = random.normal(0, scaled, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path or "gamma" in variable.path else values)

    batch = random.normal(size=(1, 16, 24, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(batch, training=False))
    with torch.inference_mode():
        actual = script.in_pytorch(model, (16, 24))(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy())).numpy()
    assert expected.std() > 0.05
    np.testing.assert_allclose(actual.transpose(0, 2, 3, 1), expected, atol=1e-5)


def test_an_unknown_layer_is_named(script):
    import keras

    from sodkeras import SodkerasError

    with pytest.raises(SodkerasError, match=r"lacks this layer. Received: GaussianNoise"):
        script._layer(keras.layers.GaussianNoise(1.0))
    with pytest.raises(SodkerasError, match=r"lacks this layer. Received: Conv2D"):
        script._layer(keras.layers.Conv2D(1, 3, strides=2))
