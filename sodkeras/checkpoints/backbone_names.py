"""The public names of the backbones' weights: torchvision's, which the authors' files share."""

import re


def torchvision_units(model, backbone):
    """The `ConvNorm` layers of a backbone with the names of their arrays.

    Args:
        model: a backbone, or a network that was built on one.
        backbone: what its layers' names start with, "resnet", "res2net" or "mobilenet_v2".

    Yields:
        `(layer, convolution's name, batch norm's name)`.
    """
    names = {"resnet": _resnet, "res2net": _res2net, "mobilenet_v2": _mobilenet_v2}[backbone]
    prefix = f"{backbone}_"
    units = [layer for layer in model.layers if layer.name.startswith(prefix) and layer.weights]
    parts = [unit.name.removeprefix(prefix) for unit in units]
    yield from ((unit, *names(part, parts)) for unit, part in zip(units, parts, strict=True))


def _resnet(part, parts):
    if part == "stem":
        return "conv1", "bn1"
    layer, index, name = re.fullmatch(r"layer(\d)_(\d+)_(\w+)", part).groups()
    block = f"layer{layer}.{index}"
    if name == "shortcut":
        return f"{block}.downsample.0", f"{block}.downsample.1"
    return f"{block}.{name}", f"{block}.{name.replace('conv', 'bn')}"


def _res2net(part, parts):
    """The names of the Res2Net authors, whose files torchvision does not have."""
    stems = {"stem0": ("conv1.0", "conv1.1"), "stem1": ("conv1.3", "conv1.4"), "stem2": ("conv1.6", "bn1")}
    if part in stems:
        return stems[part]
    layer, index, name = re.fullmatch(r"layer(\d)_(\d+)_(\w+)", part).groups()
    block = f"layer{layer}.{index}"
    if name == "shortcut":
        return f"{block}.downsample.1", f"{block}.downsample.2"
    if name.startswith("convs"):
        return f"{block}.convs.{name[5:]}", f"{block}.bns.{name[5:]}"
    return f"{block}.{name}", f"{block}.{name.replace('conv', 'bn')}"


def _mobilenet_v2(part, parts):
    if part == "stem":
        return "features.0.0", "features.0.1"
    block, name = part.rsplit("_", 1)
    blocks = list(dict.fromkeys(other.rsplit("_", 1)[0] for other in parts if other != "stem"))
    stem = f"features.{blocks.index(block) + 1}.conv"
    # A block without expansion has one unit fewer in front.
    first = 1 if f"{block}_expand" in parts else 0
    if name == "project":
        return f"{stem}.{first + 1}", f"{stem}.{first + 2}"
    unit = 0 if name == "expand" else first
    return f"{stem}.{unit}.0", f"{stem}.{unit}.1"
