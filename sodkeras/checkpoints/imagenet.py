"""ImageNet weights of the backbones, from the files that their authors and torchvision publish."""

import dataclasses
import hashlib
import pathlib
import re

import keras
import numpy as np

from sodkeras.checkpoints.backbone_names import torchvision_units
from sodkeras.checkpoints.lite_file import read_convolutions
from sodkeras.checkpoints.state_dict import StateDict
from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, whole_file


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file of ImageNet weights.

    Attributes:
        backbone: what it is of; the names of the backbone's layers start so.
        url: where it is.
        sha256: the file's, or its beginning, as far as its publisher tells it.
        licence: of the weights, where they have one.
    """

    backbone: str
    url: str
    sha256: str
    licence: str = ""


def _of_pytorch(backbone, url):
    # The end of a file's name is the beginning of its SHA-256.
    return PublishedFile(backbone, url, re.search(r"-([0-9a-f]{8})\.pth$", url)[1])


_PYTORCH = "https://download.pytorch.org/models/"
#: Published files by name.
FILES = {
    "resnet18": _of_pytorch("resnet", f"{_PYTORCH}resnet18-f37072fd.pth"),
    "resnet34": _of_pytorch("resnet", f"{_PYTORCH}resnet34-b627a593.pth"),
    "resnet50": _of_pytorch("resnet", f"{_PYTORCH}resnet50-0676ba61.pth"),
    "resnet101": _of_pytorch("resnet", f"{_PYTORCH}resnet101-63fe2227.pth"),
    "mobilenet_v2": _of_pytorch("mobilenet_v2", f"{_PYTORCH}mobilenet_v2-b0353104.pth"),
    "res2net50": _of_pytorch(
        "res2net",
        "https://shanghuagao.oss-cn-beijing.aliyuncs.com/res2net/res2net50_v1b_26w_4s-3cf99910.pth",
    ),
    # Needs no PyTorch; `padding="same"` and pictures in [-1, 1], as `load_keras_application`.
    "mobilenet_v2_8_bits": PublishedFile(
        "mobilenet_v2",
        "https://github.com/google-coral/test_data/raw/master/mobilenet_v2_1.0_224_quant.tflite",
        "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776",
        "Apache-2.0",
    ),
}
#: What the files hold besides the backbone: classifiers, and MobileNetV2's convolution in front of it.
_UNUSED = {"resnet": ("fc.",), "res2net": ("fc.",), "mobilenet_v2": ("classifier.", "features.18.")}


@dataclasses.dataclass(frozen=True)
class Report:
    """What a load did.

    Attributes:
        filled: the paths of the variables that have the file's values now.
        left: the paths of the model's other variables, which are as they were.
        unused: the names in the file that no layer here takes: those of its classifier.
        folded: whether the file's batch norms were folded into its convolutions; before training
            `sodkeras.checkpoints.batch_norm.restore_statistics` is due.
    """

    filled: tuple
    left: tuple
    unused: tuple
    folded: bool = False

    def __str__(self):
        return (
            f"{len(self.filled)} variables filled, {len(self.left)} left as they were, "
            f"{len(self.unused)} names of the file's classifier not used"
        )


def fetch(name):
    """The path of a published file, downloaded if the cache has none and checked in either case.

    Args:
        name: a key of `FILES`.

    Raises:
        SodkerasError: for an unknown name, a download that fails, or a file with another SHA-256.
    """
    import pooch

    from sodkeras.weights import cache_folder

    if name not in FILES:
        raise SodkerasError(f"Name one of the ImageNet files {', '.join(FILES)}. Received: {name!r}")
    published = FILES[name]
    url = published.url
    path = cache_folder() / url.rsplit("/", 1)[1]
    if not path.is_file():
        with whole_file(path) as temporary:
            try:
                pooch.HTTPDownloader(progressbar=True, timeout=20)(url, str(temporary), None)
            except OSError as error:
                raise SodkerasError(
                    f"Could not download {path.name} ({type(error).__name__}): put it into {path.parent} yourself. "
                    f"Received: {url}"
                ) from None
            _check_sum(temporary, published)
    _check_sum(path, published)
    return path


def _check_sum(path, published):
    found = hashlib.sha256(read_bytes(path)).hexdigest()
    if not found.startswith(published.sha256):
        name = published.url.rsplit("/", 1)[1]
        raise SodkerasError(f"{path} is not the published {name}; delete it. Received: SHA-256 {found}")


def load(model, source, backbone=None):
    """Fills a backbone, or the backbone of a network, with ImageNet weights. Nothing is changed if the file is another.

    Args:
        model: a backbone of `sodkeras.backbones`, or a network built on one.
        source: a key of `FILES`; the path of a PyTorch file, or of MobileNetV2 as a `.tflite` file, in float or 8 bits;
            or a dict of names to arrays in PyTorch's layout.
        backbone: what the names of the backbone's layers start with; default whichever the model has.

    Returns:
        A `Report`.

    Raises:
        SodkerasError: if the model has no such backbone, or the file is not exactly its weights and a classifier's.
    """
    backbone = backbone or _backbone_of(model)
    if isinstance(source, str) and source in FILES:
        source = fetch(source)
    if not isinstance(source, dict) and pathlib.Path(source).suffix == ".tflite":
        return _load_lite(model, source, backbone)
    if not isinstance(source, dict):
        from sodkeras.checkpoints.pytorch_file import read_state_dict

        source = read_state_dict(source)
    state = StateDict(source, f"this {backbone}")
    for unit, conv, norm in torchvision_units(model, backbone):
        state.fill_unit(unit, conv, norm)
    filled, unused = state.finish(ignore=_UNUSED[backbone])
    return _report(model, filled, unused)


def load_keras_application(model, application):
    """Fills a MobileNetV2 with the weights of `keras.applications`; exact, without its classifier.

    The two have the same layers where the network pads as Keras does and expects pictures in [-1, 1]: build it with
    `padding="same"` and `preprocessing={..., "mean": (0.5,) * 3, "standard_deviation": (0.5,) * 3}`. The ResNets of
    `keras.applications` are another version (stride in the first 1×1 convolution) and fit no backbone here.

    Args:
        model: a `MobileNetV2` or a network built on one.
        application: a `keras.applications.MobileNetV2` of alpha 1, such as with `weights="imagenet"`.

    Returns:
        A `Report`.

    Raises:
        SodkerasError: if padding, preprocessing or layers differ.
    """
    _check_conventions(model, "Weights of keras.applications")
    layers = {layer.name: layer for layer in application.layers if layer.weights}
    # Named as the network's own layers, in PyTorch's order of axes, so that one reader checks both.
    arrays, unused = {}, []
    units = [unit for unit, _, _ in torchvision_units(model, "mobilenet_v2")]
    names = _application_names(units)
    for name, layer in layers.items():
        if name not in names:
            unused.extend(weight.path for weight in layer.weights)
        elif isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            arrays |= {f"{name}.weight": gamma, f"{name}.bias": beta, f"{name}.running_mean": mean}
            # The same sum under the root, whichever the epsilon.
            arrays[f"{name}.running_var"] = variance + layer.epsilon - units[0].norm.epsilon
        else:
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            arrays[f"{name}.weight"] = layer.get_weights()[0].transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    known = {"Conv_1", "Conv_1_bn", "predictions"}
    if {path.split("/")[-2] for path in unused} - known:
        raise SodkerasError(f"The application is not a MobileNetV2 like this one. Received: {application.name!r}")
    state = StateDict(arrays, "this MobileNetV2")
    for unit, conv, norm in zip(units, names[::2], names[1::2], strict=True):
        state.fill_unit(unit, conv, norm)
    filled, _ = state.finish()
    return _report(model, filled, unused)


def _check_conventions(model, what):
    """Raises SodkerasError unless the model pads and takes pictures as Keras's MobileNetV2 does."""
    if getattr(model, "padding", None) != "same":
        raise SodkerasError(f"{what} need padding='same'. Received: {getattr(model, 'padding', None)!r}")
    preprocessing = getattr(model, "preprocessing", None)
    if preprocessing is not None and {*preprocessing.mean, *preprocessing.standard_deviation} != {0.5}:
        raise SodkerasError(
            f"{what} need a preprocessing with mean and standard_deviation (0.5, 0.5, 0.5). "
            f"Received: {preprocessing.mean}, {preprocessing.standard_deviation}"
        )


def _load_lite(model, path, backbone):
    """Fills a MobileNetV2 from a `.tflite` file; its batch norms only add the biases then."""
    if backbone != "mobilenet_v2":
        raise SodkerasError(f"A .tflite file can fill a MobileNetV2, no {backbone}. Received: {path}")
    _check_conventions(model, "Weights of a .tflite file")
    found, state = read_convolutions(path), StateDict({}, "this MobileNetV2")
    units = [unit for unit, _, _ in torchvision_units(model, backbone)]
    if len(found) < len(units):
        raise SodkerasError(
            f"The file is no MobileNetV2 of {len(units)} convolutions. Received: {len(found)} in {path}"
        )
    for number, (unit, (kernel, bias)) in enumerate(zip(units, found, strict=False)):
        name, norm, one = f"convolution {number}", unit.norm, np.ones_like(bias)
        state.assign(unit.conv.kernel, kernel, name)
        # With these statistics it is the identity, to the last digit of √.
        for variable, value in (
            (norm.gamma, one),
            (norm.beta, bias),
            (norm.moving_mean, 0 * one),
            (norm.moving_variance, (1 - norm.epsilon) * one),
        ):
            state.assign(variable, value, name)
    filled, _ = state.finish()
    unused = [f"convolution {number}" for number in range(len(units), len(found))]
    return dataclasses.replace(_report(model, filled, unused), folded=True)


def _application_names(units):
    """Convolution and batch norm of each unit, as `keras.applications` names them."""
    names, block = [], -1
    for unit in units:
        part = unit.name.rsplit("_", 1)[1]
        if part == "stem":
            names += ["Conv1", "bn_Conv1"]
            continue
        if part == "expand" or block < 0:
            block += 1
        stem = f"block_{block}" if block else "expanded_conv"
        names += [f"{stem}_{part}", f"{stem}_{part}_BN"]
    return names


def _backbone_of(model):
    found = [
        name for name in _UNUSED if any(layer.name.startswith(f"{name}_") and layer.weights for layer in model.layers)
    ]
    if len(found) != 1:
        raise SodkerasError(
            f"The model needs a backbone of {', '.join(_UNUSED)}. Received: {model.name!r} with {found}"
        )
    return found[0]


def _report(model, filled, unused):
    identities = {id(variable) for variable in filled}
    return Report(
        tuple(variable.path for variable in filled),
        tuple(variable.path for variable in model.weights if id(variable) not in identities),
        tuple(unused),
    )
