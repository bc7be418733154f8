"""The released U²-Net files: ONNX in running order, state dicts by name."""

import keras
import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.checkpoints import import_file, onnx_file, u2net
from sodkeras.checkpoints.batch_norm import restore_statistics
from sodkeras.models import U2Net

RNG = np.random.default_rng(0)


def state_dict(model):
    """A state dict with the released code's names and layout and random values, for any U2Net."""
    arrays = {}
    for prefix, unit in u2net._units(model):
        conv = getattr(unit, "conv", unit)
        height, width, channels, filters = conv.kernel.shape
        stem = f"{prefix}.conv_s1" if conv is not unit else prefix
        arrays[f"{stem}.weight"] = (
            RNG.normal(size=(filters, channels, height, width)) / np.sqrt(channels * height * width)
        ).astype("float32")
        arrays[f"{stem}.bias"] = RNG.normal(size=filters).astype("float32")
        if conv is not unit:
            for name in ("weight", "bias", "running_mean", "running_var"):
                arrays[f"{prefix}.bn_s1.{name}"] = RNG.uniform(0.5, 1.5, filters).astype("float32")
            arrays[f"{prefix}.bn_s1.num_batches_tracked"] = np.int64(7)
    return arrays


@pytest.fixture(scope="module")
def arrays():
    return state_dict(U2Net("small"))


def fold(arrays):
    """The convolutions that an exporter makes of a state dict: batch norm folded in, in the same order."""
    convolutions = []
    for name, kernel in arrays.items():
        if kernel.ndim != 4:
            continue
        bias = arrays[name.replace(".weight", ".bias")]
        if ".conv_s1." in name:
            gamma, beta, mean, variance = (
                arrays[name.replace("conv_s1.weight", f"bn_s1.{part}")].astype("float64")
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            factor = gamma / np.sqrt(variance + 1e-5)
            kernel, bias = kernel * factor[:, None, None, None], (bias - mean) * factor + beta
        convolutions.append((np.float32(kernel.transpose(2, 3, 1, 0)), np.float32(bias)))
    return convolutions


def maps(model, batch):
    return {name: keras.ops.convert_to_numpy(keras.ops.sigmoid(value)) for name, value in model(batch).items()}


def largest_difference(first, second):
    return max(np.abs(first[name] - second[name]).max() for name in first)


def test_folded_convolutions_and_the_state_dict_give_the_same_maps(arrays):
    batch = RNG.normal(size=(1, 40, 56, 3)).astype("float32")
    by_name = maps(u2net.from_state_dict(arrays), batch)
    folded = u2net.from_convolutions(fold(arrays))
    assert folded.name == "u2netp"
    assert largest_difference(by_name, maps(folded, batch)) < 1e-4
    # With statistics restored the maps stay, and training mode, which normalises by the batch, now agrees too.
    assert restore_statistics(folded, [batch]) == 112
    assert largest_difference(by_name, maps(folded, batch)) < 2e-4
    training = {
        name: keras.ops.convert_to_numpy(keras.ops.sigmoid(v)) for name, v in folded(batch, training=True).items()
    }
    assert largest_difference(by_name, training) < 2e-3


def test_a_name_too_few_or_too_many_is_an_error(arrays):
    missing = dict(arrays)
    del missing["stage3d.rebnconv2.conv_s1.bias"]
    with pytest.raises(SodkerasError, match=r"stage3d\.rebnconv2\.conv_s1\.bias"):
        u2net.from_state_dict(missing)
    with pytest.raises(SodkerasError, match=r"stage9\.extra"):
        u2net.from_state_dict(arrays | {"stage9.extra": np.zeros(1)})


def test_weights_of_another_network_are_refused(arrays):
    with pytest.raises(SodkerasError, match="no released U²-Net"):
        u2net.from_state_dict({"conv1.weight": np.zeros((8, 3, 3, 3))})
    with pytest.raises(SodkerasError, match="should be"):
        u2net.load_state_dict(U2Net("full"), arrays)
    with pytest.raises(SodkerasError, match="119 convolutions"):
        u2net.load_convolutions(U2Net("small"), fold(arrays)[:5])


def test_files_that_are_not_what_their_name_says(tmp_path):
    for name in ("weights.onnx", "weights.pth"):
        (tmp_path / name).write_bytes(b"this is no network")
        with pytest.raises(SodkerasError, match=r"weights\.(onnx|pth)"):
            import_file(tmp_path / name)
    with pytest.raises(SodkerasError, match=r"\.onnx, \.pth.*weights\.h5"):
        import_file(tmp_path / "weights.h5")


def test_a_pytorch_file_of_the_released_code(arrays, tmp_path):
    torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")
    torch.save({name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}, tmp_path / "u2netp.pth")
    model, _, notes = import_file(tmp_path / "u2netp.pth")
    batch = RNG.normal(size=(1, 32, 32, 3)).astype("float32")
    assert notes == () and largest_difference(maps(model, batch), maps(u2net.from_state_dict(arrays), batch)) == 0


@pytest.mark.reference
def test_the_released_file_gives_the_maps_that_onnx_runtime_gives(reference):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    path = reference / "reference/weights/u2netp.onnx"
    model = u2net.from_convolutions(onnx_file.read_convolutions(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    batch = RNG.normal(size=(1, 320, 320, 3)).astype("float32")
    expected = session.run(None, {session.get_inputs()[0].name: batch.transpose(0, 3, 1, 2)})
    for (name, received), array in zip(maps(model, batch).items(), expected, strict=True):
        assert np.abs(received - array.transpose(0, 2, 3, 1)).max() <= 1e-4, name
