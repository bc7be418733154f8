"""The losses: their formulas in NumPy, weights, extreme logits, replicas, saving."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import tiny_model
from sodkeras.losses import IntersectionOverUnionFromLogits, StructuralSimilarityFromLogits, WeightedSum
from sodkeras.models import SaliencyModel

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(scale=3, size=(4, 12, 16, 1)).astype("float32")
MASKS = RNG.uniform(size=(4, 12, 16, 1)).astype("float32") ** 3
CROSS_ENTROPY = keras.losses.BinaryCrossentropy(from_logits=True)


def every_loss():
    return [
        IntersectionOverUnionFromLogits(),
        IntersectionOverUnionFromLogits(over="batch", smoothing=1.0),
        StructuralSimilarityFromLogits(),
        WeightedSum([CROSS_ENTROPY, StructuralSimilarityFromLogits(), IntersectionOverUnionFromLogits()], [1, 0.5, 2]),
    ]


ALL = pytest.mark.parametrize("loss", every_loss(), ids=["picture", "batch", "similarity", "sum"])


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.float64(logits)))


def overlap(masks, logits, axes, smoothing=0.0, weights=1.0):
    """1 - intersection / union, as the paper writes it."""
    p, g = sigmoid(logits), np.float64(masks)
    intersection = (weights * p * g).sum(axes)
    return 1 - (intersection + smoothing) / ((weights * (p + g - p * g)).sum(axes) + smoothing)


def test_overlap_is_that_of_the_paper_over_pictures():
    loss = IntersectionOverUnionFromLogits(reduction="none")
    np.testing.assert_allclose(loss(MASKS, LOGITS), overlap(MASKS, LOGITS, (1, 2, 3)), rtol=1e-6)


def test_overlap_over_a_batch_is_one_ratio():
    loss = IntersectionOverUnionFromLogits(over="batch", smoothing=1.0)
    assert float(loss(MASKS, LOGITS)) == pytest.approx(overlap(MASKS, LOGITS, None, 1.0), rel=1e-6)


@pytest.mark.reference
def test_cross_entropy_and_overlap_are_those_of_the_released_code(reference):
    golden = np.load(reference / "reference/cii_r18_random_golden.npz")
    masks, logits = (golden[f"loss_{name}"].transpose(0, 2, 3, 1) for name in ("target", "logits"))
    released = IntersectionOverUnionFromLogits(over="batch", smoothing=1.0)
    assert float(released(masks, logits)) == pytest.approx(float(golden["loss_iou"]), abs=1e-6)
    total = float(golden["loss_bce"] + golden["loss_iou"])
    assert float(WeightedSum([CROSS_ENTROPY, released])(masks, logits)) == pytest.approx(total, abs=1e-6)


def test_similarity_is_that_of_tensorflow_away_from_the_border():
    logits, masks = (np.tile(array, (1, 3, 2, 1)) for array in (LOGITS, MASKS))
    peer = tf.image.ssim(tf.sigmoid(logits), masks, 1.0, return_index_map=True)
    weights = np.zeros_like(masks)
    weights[:, 5:-5, 5:-5] = 1
    loss = StructuralSimilarityFromLogits(reduction="none")(masks, logits, weights)
    expected = (1 - peer.numpy()).sum((1, 2)) / (masks.shape[1] * masks.shape[2])
    np.testing.assert_allclose(loss, expected, atol=1e-5)


def test_similarity_at_the_border_sees_zeros():
    """The definition at every pixel, in plain NumPy."""
    p, g = (np.pad(array[..., 0], [(0, 0), (5, 5), (5, 5)]) for array in (sigmoid(LOGITS), np.float64(MASKS)))
    gaussian = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(gaussian, gaussian) / gaussian.sum() ** 2

    def mean(maps):
        return (np.lib.stride_tricks.sliding_window_view(maps, (11, 11), (1, 2)) * window).sum((-2, -1))

    mean_p, mean_g = mean(p), mean(g)
    spread = mean(p * p) - mean_p**2 + mean(g * g) - mean_g**2
    shared = mean(p * g) - mean_p * mean_g
    similarity = (2 * mean_p * mean_g + 1e-4) * (2 * shared + 9e-4) / ((mean_p**2 + mean_g**2 + 1e-4) * (spread + 9e-4))
    loss = StructuralSimilarityFromLogits(reduction="none")
    np.testing.assert_allclose(loss(MASKS, LOGITS), 1 - similarity.mean((1, 2)), atol=1e-5)


def test_a_right_map_has_no_loss_and_a_wrong_one_has_all():
    mask = np.zeros((1, 12, 16, 1), np.float32)
    mask[:, 3:8, 4:9] = 1
    logits = 200 * mask - 100
    for loss in every_loss()[:3]:
        assert float(loss(mask, logits)) == pytest.approx(0, abs=1e-6)
        assert float(loss(mask, -logits)) > 0.9


@ALL
@pytest.mark.parametrize("mask", [0.0, 1.0, MASKS], ids=["empty", "full", "graded"])
def test_extreme_logits_have_finite_losses_and_gradients(loss, mask):
    masks = np.broadcast_to(np.float32(mask), MASKS.shape)
    for scale in (0, 1, 1e4):
        for logits in (scale * LOGITS, np.full_like(LOGITS, scale), np.full_like(LOGITS, -scale)):
            logits = tf.Variable(logits)
            with tf.GradientTape() as tape:
                value = loss(masks, logits)
            assert np.isfinite(value) and np.isfinite(tape.gradient(value, logits)).all()


def test_an_empty_mask_is_met_by_an_empty_map():
    empty, logits = np.zeros_like(MASKS), np.full_like(LOGITS, -1e4)
    assert float(IntersectionOverUnionFromLogits()(empty, logits)) == 0


@ALL
def test_a_weight_of_one_changes_nothing_and_a_weight_of_two_doubles(loss):
    expected = float(loss(MASKS, LOGITS))
    for shape in ((4,), (4, 1), (4, 12, 16), (4, 12, 16, 1)):
        assert float(loss(MASKS, LOGITS, np.ones(shape))) == pytest.approx(expected, rel=1e-6)
        assert float(loss(MASKS, LOGITS, np.full(shape, 2.0))) == pytest.approx(2 * expected, rel=1e-6)
    assert float(loss(MASKS, LOGITS, np.zeros(4))) == 0


@ALL
def test_a_picture_of_weight_zero_is_left_out(loss):
    """The mean still divides by the number of pictures, as everywhere in Keras; a batch's one ratio does not."""
    some = loss(MASKS[:2], LOGITS[:2])
    weighted = loss(MASKS, LOGITS, np.float32([1, 1, 0, 0]))
    smoothed = getattr(loss, "smoothing", 0) > 0
    assert float(weighted) == pytest.approx(float(some) / 2, rel=1e-2 if smoothed else 1e-6)


def test_weights_of_pixels_weight_the_areas():
    weights = RNG.uniform(size=MASKS.shape)
    expected = weights.mean((1, 2, 3)) * overlap(MASKS, LOGITS, (1, 2, 3), weights=weights)
    loss = IntersectionOverUnionFromLogits(reduction="none")
    np.testing.assert_allclose(loss(MASKS, LOGITS, weights), expected, rtol=1e-6)


@ALL
def test_half_precision_is_computed_in_float32(loss):
    logits, masks = tf.cast(LOGITS, "bfloat16"), tf.cast(MASKS, "bfloat16")
    value = loss(masks, logits)
    assert value.dtype == "float32"
    assert float(value) == float(loss(tf.cast(masks, "float32"), tf.cast(logits, "float32")))


@ALL
def test_a_loss_is_read_back_from_its_config(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    assert float(again(MASKS, LOGITS)) == float(loss(MASKS, LOGITS))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: IntersectionOverUnionFromLogits(over="pixel"), "Received: over='pixel'"),
        (lambda: IntersectionOverUnionFromLogits()(MASKS[..., 0], LOGITS), r"Received: \(4, 12, 16\) and"),
        (lambda: StructuralSimilarityFromLogits(window=10), "Received: window=10"),
        (lambda: WeightedSum([CROSS_ENTROPY], [1, 2]), r"1 losses. Received: factors=\[1, 2\]"),
        (lambda: WeightedSum(["binary_crossentropy"]), "Received: .'binary_crossentropy'"),
    ],
)
def test_arguments_that_make_no_loss_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


def test_every_output_has_the_loss_and_its_own_weight_also_when_read_back(tmp_path):
    model = tiny_model((16, 16))
    pictures = RNG.normal(size=(2, 16, 16, 3)).astype("float32")
    masks = (pictures[..., :1] > 0).astype("float32")
    outputs = model(pictures, training=True)
    loss = WeightedSum([CROSS_ENTROPY, IntersectionOverUnionFromLogits()])
    values = [float(loss(masks, logits)) for logits in outputs.values()]
    factors = [1.0, 0.5, 0.0]
    model.compile("adam", loss, loss_weights=factors, jit_compile=False, run_eagerly=True)
    history = model.fit(pictures, masks, batch_size=2, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.dot(factors, values), rel=1e-5)
    for name, value in zip(outputs, values, strict=True):
        assert history[f"{name}_loss"][0] == pytest.approx(value, rel=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for old, new in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    again.run_eagerly = model.run_eagerly
    assert again.evaluate(pictures, masks, verbose=0) == pytest.approx(model.evaluate(pictures, masks, verbose=0))


def test_a_weight_for_each_picture_reaches_cross_entropy():
    """Four pictures of four columns: Keras alone would take the weights for the columns'."""
    picture = keras.Input((4, 4, 3))
    model = SaliencyModel(picture, {"saliency_logits": keras.layers.Conv2D(1, 1)(picture)})
    pictures = RNG.normal(size=(4, 4, 4, 3)).astype("float32")
    masks, weights = (pictures[..., :1] > 0).astype("float32"), np.float32([3, 0, 0, 1])
    each = [float(CROSS_ENTROPY(masks[i : i + 1], model(pictures[i : i + 1])["saliency_logits"])) for i in range(4)]
    model.compile("sgd", CROSS_ENTROPY, jit_compile=False, run_eagerly=True)
    loss = model.evaluate(pictures, masks, sample_weight=weights, verbose=0)
    assert loss == pytest.approx((3 * each[0] + each[3]) / 4, rel=1e-5)


def replicated():
    """The script of the test below: loss and gradient on one device, and on two that halve the batch."""
    strategies = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    weights = np.float32([1, 2, 0.5, 3])
    for loss in (every_loss()[3], every_loss()[1]):
        runs = []
        for strategy in strategies:
            with strategy.scope():
                picture = keras.Input(LOGITS.shape[1:])
                scale = keras.layers.DepthwiseConv2D(3, padding="same", depthwise_initializer="ones")
                model = keras.Model(picture, scale(picture))
                model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=False)
            history = model.fit(LOGITS, MASKS, sample_weight=weights, batch_size=4, shuffle=False, verbose=0).history
            runs.append(np.concatenate([history["loss"], *[np.ravel(weight) for weight in model.get_weights()]]))
        print("difference", np.abs(runs[0] - runs[1]).max())
    over_batch = every_loss()[1]
    halves = [float(over_batch(MASKS[part], LOGITS[part])) for part in (slice(0, 2), slice(2, 4))]
    with strategies[1].scope():
        picture = keras.Input(LOGITS.shape[1:])
        model = keras.Model(picture, keras.layers.Activation("linear")(picture))
        model.compile("sgd", over_batch, jit_compile=False)
    print("difference", abs(model.evaluate(LOGITS, MASKS, batch_size=4, verbose=0) - np.mean(halves)))


def test_two_replicas_have_the_loss_and_the_gradients_of_one_device():
    code = (
        "import tensorflow as tf;"
        "cpu = tf.config.list_physical_devices('CPU')[0];"
        "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2);"
        "import test_losses; test_losses.replicated()"
    )
    folder = pathlib.Path(__file__).resolve().parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(folder / "models")])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, cwd=folder.parent
    )
    assert done.returncode == 0, done.stderr
    total, batch, halves = (
        float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("difference")
    )
    assert total < 1e-6
    # The ratio of a batch is not that of its halves: each replica has its own, and the loss is their mean.
    assert batch > 1e-4
    assert halves < 1e-6
