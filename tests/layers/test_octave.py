"""Octave layers against NumPy, written from the papers' formulas."""

import keras
import numpy as np
import pytest

from sodkeras.graph import flatten
from sodkeras.layers import CrossStageFusion, ILBlock, OctaveConv, ParallelDilatedConv


def convolve(x, kernel, dilation=1):
    """Zero-padded convolution of `[B, H, W, C]` with `[k, k, C, D]`."""
    k = kernel.shape[0]
    pad = dilation * (k // 2)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    height, width = x.shape[1:3]
    rows = [dilation * tap for tap in range(k)]
    return sum(
        padded[:, dy : dy + height, dx : dx + width] @ kernel[a, b]
        for a, dy in enumerate(rows)
        for b, dx in enumerate(rows)
    )


def pool(x, factor, reduce):
    batch, height, width, channels = x.shape
    return reduce(x.reshape(batch, height // factor, factor, width // factor, factor, channels), axis=(2, 4))


def upsample(x, factor):
    """Bilinear with half-pixel centres."""
    for axis in (1, 2):
        size = x.shape[axis]
        position = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
        low = np.floor(position).astype(int)
        share = (position - low).reshape((-1, 1, 1) if axis == 1 else (-1, 1))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, np.minimum(low + 1, size - 1), axis) * share
    return x


def randomise(layer, seed=0):
    """Weights that make every parameter matter, with positive variances."""
    generator = np.random.default_rng(seed)
    for weight in layer.weights:
        values = generator.normal(size=weight.shape).astype("float32")
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)


def normalise(x, norm, activation):
    y = (x - norm.moving_mean.numpy()) / np.sqrt(norm.moving_variance.numpy() + 1e-5)
    y = y * norm.gamma.numpy() + norm.beta.numpy()
    return np.where(y > 0, y, y * activation.alpha.numpy())


def expected_octave(layer, inputs, scales):
    if layer.strides == 2:
        inputs = [pool(x, 2, np.mean) for x in inputs]
    outputs = []
    for j in layer.output_scales:
        total = 0
        for i, x in zip(scales, inputs, strict=True):
            kernel = layer.convs[f"{i}to{j}"].kernel.numpy()
            if j >= i:
                total = total + convolve(pool(x, 2 ** (j - i), np.max), kernel)
            else:
                total = total + upsample(convolve(x, kernel), 2 ** (i - j))
        outputs.append(normalise(total, layer.norms[str(j)], layer.activations[str(j)]))
    return outputs


def pictures(channels_by_scale, size=16, seed=1):
    generator = np.random.default_rng(seed)
    return [
        generator.normal(size=(2, size >> scale, size >> scale, channels)).astype("float32")
        for scale, channels in channels_by_scale.items()
    ]


@pytest.mark.parametrize(
    ("filters", "inputs", "kernel_size", "strides"),
    [
        pytest.param([4, 2], {0: 3, 1: 5}, 3, 1, id="in-stage"),
        pytest.param([4, 2], {0: 3, 1: 5}, 3, 2, id="average-pooled"),
        pytest.param([4], {0: 3, 1: 5}, 1, 1, id="merging"),
        pytest.param([2, 3, 1], {0: 3}, 1, 1, id="splitting"),
        pytest.param([2, 3, 1, 2], {0: 3, 1: 2, 2: 5}, 1, 1, id="cross-stage"),
        pytest.param([0, 3], {1: 4}, 3, 2, id="empty finest scale"),
        pytest.param([2, 0, 3], {0: 2, 2: 4}, 1, 1, id="gap"),
    ],
)
def test_octave_convolution_equals_its_formula(filters, inputs, kernel_size, strides):
    layer = OctaveConv(filters, kernel_size, strides, input_scales=list(inputs))
    arrays = pictures(inputs)
    outputs = layer(arrays)
    randomise(layer)
    outputs = layer(arrays)
    expected = expected_octave(layer, [x.astype("float64") for x in arrays], list(inputs))
    assert [tuple(y.shape) for y in outputs] == layer.compute_output_shape([x.shape for x in arrays])
    for y, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)


def test_simplified_form_is_depthwise_and_keeps_scales_apart():
    layer = OctaveConv([3, 2], cross_scale=False, depthwise=True, kernel_scale=100)
    arrays = pictures({0: 3, 1: 2})
    layer(arrays)
    randomise(layer)
    for scale, (y, x) in enumerate(zip(layer(arrays), arrays, strict=True)):
        kernel = 100 * layer.convs[f"{scale}to{scale}"].kernel.numpy()[..., 0]
        diagonal = kernel[..., None] * np.eye(kernel.shape[-1])
        wanted = normalise(convolve(x, diagonal), layer.norms[str(scale)], layer.activations[str(scale)])
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("strides", [1, 2])
def test_without_exchange_each_scale_is_a_convolution_of_its_own(strides):
    layer = OctaveConv([4, 2], 3, strides, cross_scale=False)
    arrays = pictures({0: 3, 1: 5})
    layer(arrays)
    randomise(layer)
    assert set(layer.convs) == {"0to0", "1to1"}
    for scale, (y, x) in enumerate(zip(layer(arrays), arrays, strict=True)):
        x = pool(x.astype("float64"), strides, np.mean)
        convolved = convolve(x, layer.convs[f"{scale}to{scale}"].kernel.numpy())
        wanted = normalise(convolved, layer.norms[str(scale)], layer.activations[str(scale)])
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("activation", "slope"), [("relu", 0), ("leaky_relu", 0.01)])
def test_other_activations_have_their_slope(activation, slope):
    layer, without = OctaveConv([2, 3], activation=activation), OctaveConv([2, 3], activation=None)
    arrays = pictures({0: 3, 1: 2})
    for each in (layer, without):
        each(arrays)
        randomise(each)
    for y, x in zip(layer(arrays), without(arrays), strict=True):
        np.testing.assert_allclose(y, np.where(np.array(x) > 0, x, slope * np.array(x)), rtol=1e-6)


def test_one_scale_in_and_out_is_an_ordinary_strided_convolution():
    layer = OctaveConv([4], 3, 2, activation=None)
    plain = keras.layers.Conv2D(4, 3, 2, padding="same", use_bias=False)
    x = pictures({0: 3}, size=15)[0]
    y = layer(x)[0]
    plain.build(x.shape)
    plain.kernel.assign(layer.convs["0to0"].kernel)
    np.testing.assert_allclose(y, plain(x) / np.sqrt(1 / 6 + 1e-5), rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape(x.shape) == [(2, 8, 8, 4)]


@pytest.mark.parametrize("depthwise", [False, True])
def test_initial_kernels_have_the_range_of_the_whole_convolution(depthwise):
    """PyTorch's default, U(±1/√fan_in), with the inputs of all scales counted; a depthwise kernel sees one channel."""
    layer = OctaveConv([60, 20], 3, depthwise=depthwise, cross_scale=not depthwise)
    layer.build([(None, 16, 16, 60), (None, 8, 8, 20)])
    bound = 1 / np.sqrt(9 * (1 if depthwise else 80))
    for conv in layer.convs.values():
        kernel = conv.kernel.numpy()
        assert 0.95 * bound < np.abs(kernel).max() <= bound
        assert abs(kernel.std() - bound / np.sqrt(3)) < 0.1 * bound


def test_parallel_dilations_concatenate_in_order_and_skip_empty_ones():
    layer = ParallelDilatedConv([2, 0, 3], [1, 2, 4])
    x = pictures({0: 3})[0]
    layer(x)
    randomise(layer)
    branches = [convolve(x, 100 * conv.kernel.numpy(), int(rate)) for rate, conv in layer.convs.items()]
    wanted = normalise(np.concatenate(branches, -1), layer.norm, layer.activation_layer)
    assert len(branches) == 2
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-4, atol=1e-3)


def test_fusion_merges_every_scale_into_the_finest():
    layer = CrossStageFusion([3, 2, 4], [[1, 2], [1, 1], [0, 3]], 5, dilation_rates=[1, 2])
    arrays = pictures({0: 2, 1: 3, 2: 4})
    layer(arrays)
    randomise(layer)
    mixed = expected_octave(layer.mix, arrays, [0, 1, 2])
    dilated = [np.asarray(part(x.astype("float32"))) for part, x in zip(layer.dilated, mixed, strict=True)]
    wanted = expected_octave(layer.merge, dilated, [0, 1, 2])[0]
    y = layer(arrays)
    assert tuple(y.shape) == layer.compute_output_shape([x.shape for x in arrays]) == (2, 16, 16, 5)
    np.testing.assert_allclose(y, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "layer",
    [
        OctaveConv([3, 0, 2], 1, 2, [0, 1], activation="relu", kernel_initializer="glorot_normal", name="octave"),
        ILBlock([3, 2], 3, 2, [0, 1], activation="leaky_relu", name="block"),
        ILBlock([3, 2], input_scales=[0, 1], simplified=False, name="vanilla_block"),
        CrossStageFusion([2, 3], [[1, 1], [0, 2]], 4, dilation_rates=[1, 3], name="fusion"),
    ],
    ids=lambda layer: layer.name,
)
def test_saved_and_flattened_layers_compute_the_same(layer, tmp_path):
    picture = keras.Input((16, 16, 3))
    model = keras.Model(picture, layer(OctaveConv([2, 3], name="split")(picture)))
    randomise(model)
    x = pictures({0: 3})[0]
    model.save(tmp_path / "model.keras")
    for other in (keras.models.load_model(tmp_path / "model.keras"), flatten(model)):
        for y, wanted in zip(keras.tree.flatten(other(x)), keras.tree.flatten(model(x)), strict=True):
            np.testing.assert_array_equal(y, wanted)
    assert len({part.name for part in flatten(model).layers}) == len(flatten(model).layers)


def test_mixed_precision_keeps_variables_in_float32():
    layer = ILBlock([3, 2], input_scales=[0], dtype="mixed_bfloat16")
    outputs = layer(pictures({0: 3})[0])
    assert {keras.backend.standardize_dtype(y.dtype) for y in outputs} == {"bfloat16"}
    assert {weight.dtype for weight in layer.weights} == {"float32"}


@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({"filters": [0, 0]}, [(1, 8, 8, 3)], "needs an output scale"),
        ({"filters": [2], "strides": 3}, [(1, 8, 8, 3)], "strides 1 or 2"),
        ({"filters": [3], "depthwise": True}, [(1, 8, 8, 3)], "cross_scale=False"),
        ({"filters": [4], "depthwise": True, "cross_scale": False}, [(1, 8, 8, 3)], "keeps the channels"),
        ({"filters": [2, 2], "cross_scale": False}, [(1, 8, 8, 3)], "reaches output scale 1"),
        ({"filters": [2, 2], "input_scales": [0, 1]}, [(1, 8, 8, 3)], "one input for each"),
        ({"filters": [2, 2]}, [(1, 9, 8, 3)], "divisible by 2"),
        ({"filters": [2, 2]}, [(1, 8, 8, 3), (1, 8, 8, 3)], "divisible by 2"),
        ({"filters": [2], "activation": "gelu"}, [(1, 8, 8, 3)], "Received: 'gelu'"),
    ],
)
def test_impossible_layers_are_refused(arguments, shapes, message):
    with pytest.raises(ValueError, match=message):
        OctaveConv(**arguments)([np.zeros(shape, "float32") for shape in shapes])


def test_fusion_refuses_a_scale_that_leads_nowhere():
    with pytest.raises(ValueError, match="exactly at the scales"):
        CrossStageFusion([2, 3], [[1, 1], [0, 0]], 4, dilation_rates=[1, 3])
