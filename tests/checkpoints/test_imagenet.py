"""ImageNet weights: everything in the file is used or named, and a file that does not fit changes nothing."""

import hashlib
import pathlib

import keras
import numpy as np
import pytest

from sodkeras.backbones import MobileNetV2, Res2Net, ResNet
from sodkeras.checkpoints import imagenet
from sodkeras.checkpoints.backbone_names import torchvision_units
from sodkeras.errors import SodkerasError
from sodkeras.models import CII, DNL

RNG = np.random.default_rng(0)


def state_dict(model, backbone):
    """Random arrays that fit, as torchvision would store them, with a classifier."""
    arrays = {"resnet": {"fc.weight": np.zeros(2)}, "res2net": {"fc.weight": np.zeros(2)}}.get(
        backbone, {"classifier.1.weight": np.zeros(2), "features.18.0.weight": np.zeros(2)}
    )
    for unit, conv, norm in torchvision_units(model, backbone):
        axes = (2, 3, 0, 1) if unit.filters is None else (3, 2, 0, 1)
        arrays[f"{conv}.weight"] = RNG.normal(size=unit.conv.kernel.shape).astype("float32").transpose(axes)
        for part in ("weight", "bias", "running_mean", "running_var"):
            arrays[f"{norm}.{part}"] = RNG.random(unit.norm.gamma.shape, dtype=np.float32)
        arrays[f"{norm}.num_batches_tracked"] = np.array(3)
    return arrays


@pytest.mark.parametrize(
    ("make", "backbone", "some"),
    [
        (lambda: ResNet(18, width=4), "resnet", ("layer2.0.downsample.1.running_mean", "layer4.1.bn2.weight")),
        (lambda: ResNet(50, width=4), "resnet", ("layer1.0.downsample.0.weight", "layer3.5.conv3.weight")),
        (
            lambda: Res2Net(width=8),
            "res2net",
            ("conv1.6.weight", "layer1.0.downsample.1.weight", "layer4.2.bns.2.bias"),
        ),
        (
            lambda: MobileNetV2(8),
            "mobilenet_v2",
            (
                "features.0.0.weight",
                "features.1.conv.0.0.weight",
                "features.1.conv.1.weight",
                "features.17.conv.3.bias",
            ),
        ),
    ],
)
def test_a_file_fills_its_backbone(make, backbone, some):
    model = make()
    arrays = state_dict(model, backbone)
    assert set(some) <= set(arrays)
    report = imagenet.load(model, arrays)
    assert len(report.filled) == len(model.weights) and report.left == ()
    assert set(report.unused) == {name for name in arrays if name.split(".")[0] in ("fc", "classifier")} | (
        {"features.18.0.weight"} if backbone == "mobilenet_v2" else set()
    )


def test_a_network_is_filled_in_its_backbone_alone():
    model = CII(18, width=4, filters=4)
    arrays = state_dict(model, "resnet")
    report = imagenet.load(model, arrays)
    assert all(path.startswith("resnet_") for path in report.filled)
    assert not any(path.startswith("resnet_") for path in report.left)
    assert len(report.filled) + len(report.left) == len(model.weights)
    assert "100 variables filled" in str(report)
    np.testing.assert_array_equal(np.array(model.get_layer("resnet_stem").norm.beta), arrays["bn1.bias"])


@pytest.mark.parametrize("change", [{"layer9.0.conv1.weight": np.zeros(3)}, {"layer4.1.bn2.bias": np.zeros(3)}, "drop"])
def test_a_partial_load_is_an_error_and_changes_nothing(change):
    model = ResNet(18, width=4)
    arrays = state_dict(model, "resnet")
    if change == "drop":
        del arrays["layer4.1.conv2.weight"]
    else:
        arrays |= change
    before = model.get_weights()
    with pytest.raises(SodkerasError, match=r"Received: (no 'layer4|\['layer9|\(3,\))"):
        imagenet.load(model, arrays)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_pytorch_file_fills_as_its_arrays_do(tmp_path):
    torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")
    model = ResNet(18, width=4)
    arrays = state_dict(model, "resnet")
    torch.save({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}, tmp_path / "resnet18.pth")
    report = imagenet.load(model, tmp_path / "resnet18.pth")
    assert len(report.filled) == len(model.weights)
    kernel = np.array(model.get_layer("resnet_layer4_1_conv2").conv.kernel)
    np.testing.assert_array_equal(kernel, arrays["layer4.1.conv2.weight"].transpose(2, 3, 1, 0))


def test_a_model_without_a_backbone_is_refused():
    with pytest.raises(SodkerasError, match="needs a backbone"):
        imagenet.load(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), {})


def test_the_keras_application_computes_the_same():
    application = keras.applications.MobileNetV2(input_shape=(64, 64, 3), include_top=False, weights=None)
    for weight in application.weights:
        if "variance" in weight.path or "mean" in weight.path:
            weight.assign(0.5 + RNG.random(weight.shape))
    model = MobileNetV2(padding="same", input_shape=(64, 64, 3))
    report = imagenet.load_keras_application(model, application)
    assert report.left == () and {path.split("/")[0] for path in report.unused} == {"Conv_1", "Conv_1_bn"}
    x = RNG.normal(size=(1, 64, 64, 3)).astype("float32")
    last = keras.Model(application.input, application.get_layer("block_16_project_BN").output)
    expected = np.array(last(x))
    np.testing.assert_allclose(np.array(model(x)["ir7"]), expected, atol=1e-4 * np.abs(expected).max())


def test_the_keras_application_needs_its_padding_and_preprocessing():
    application = keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None)
    with pytest.raises(SodkerasError, match=r"padding='same'\. Received: 'symmetric'"):
        imagenet.load_keras_application(MobileNetV2(), application)
    with pytest.raises(SodkerasError, match="standard_deviation"):
        imagenet.load_keras_application(DNL((), padding="same"), application)


def test_a_download_that_fails_says_where_the_file_belongs(tmp_path, monkeypatch):
    def fail(*arguments, **keywords):
        raise ConnectionError("no route")

    monkeypatch.setenv("SODKERAS_CACHE", str(tmp_path))
    monkeypatch.setattr("pooch.HTTPDownloader", lambda **arguments: fail)
    with pytest.raises(SodkerasError, match=f"ConnectionError.: put it into {tmp_path} yourself. Received: https://.*"):
        imagenet.fetch("resnet18")
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_checked_before_it_is_kept(tmp_path, monkeypatch):
    content = b"weights"
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    monkeypatch.setenv("SODKERAS_CACHE", str(tmp_path))
    published = imagenet.PublishedFile("resnet", f"https://example.org/{name}", hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(imagenet.FILES, "net", published)
    sent = [b"another", content]

    class Downloader:
        def __init__(self, **arguments):
            pass

        def __call__(self, url, path, pooch):
            pathlib.Path(path).write_bytes(sent.pop(0))

    monkeypatch.setattr("pooch.HTTPDownloader", Downloader)
    with pytest.raises(SodkerasError, match="is not the published"):
        imagenet.fetch("net")
    assert list(tmp_path.iterdir()) == []
    assert imagenet.fetch("net").read_bytes() == content and imagenet.fetch("net").name == name
    (tmp_path / name).write_bytes(b"changed")
    with pytest.raises(SodkerasError, match="is not the published"):
        imagenet.fetch("net")
    with pytest.raises(SodkerasError, match="Received: 'vgg16'"):
        imagenet.fetch("vgg16")
