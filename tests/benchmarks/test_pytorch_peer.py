"""The network that LiteRT is timed against in PyTorch is the same network."""

import pathlib
import runpy

import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).parent.parent.parent / "benchmarks"


def test_pytorch_computes_what_keras_computes():
    torch = pytest.importorskip("torch")
    import keras

    from sodkeras.models import CSNet
    from sodkeras.pruning import re_estimate_statistics

    in_pytorch = runpy.run_path(str(BENCHMARKS / "pytorch_peer.py"))["in_pytorch"]
    keras.utils.set_random_seed(0)
    model = CSNet(width=0.5)
    batch = np.random.default_rng(0).normal(size=(4, 48, 32, 3)).astype("float32")
    re_estimate_statistics(model, [batch])
    expected = keras.ops.convert_to_numpy(model.inference_model()(batch[:1], training=False))
    run = in_pytorch(model.inference_model(), (48, 32))
    with torch.inference_mode():
        actual = run(torch.from_numpy(batch[:1].transpose(0, 3, 1, 2).copy())).numpy()
    assert expected.std() > 1e-3
    np.testing.assert_allclose(actual.transpose(0, 2, 3, 1), expected, atol=1e-4)


def test_an_unknown_layer_is_named():
    pytest.importorskip("torch")
    import keras

    from sodkeras import SodkerasError

    layer = runpy.run_path(str(BENCHMARKS / "pytorch_peer.py"))["_layer"]
    with pytest.raises(SodkerasError, match=r"lacks this layer. Received: GaussianNoise"):
        layer(keras.layers.GaussianNoise(1.0))
    with pytest.raises(SodkerasError, match=r"lacks this layer. Received: Conv2D"):
        layer(keras.layers.Conv2D(1, 3, strides=2))
