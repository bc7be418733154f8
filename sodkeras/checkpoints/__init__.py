"""Readers of the authors' released files, and the name maps of each network.

`onnx_file` and `pytorch_file` turn a file into plain arrays; one module per network knows which array is which layer;
`import_file` finds out which network a file holds.
"""

import importlib
import pathlib
import typing

from sodkeras.errors import SodkerasError
from sodkeras.files import reason

_FOLDED = (
    "batch norm is folded into the convolutions of this file: predict and convert as you like, but before fine-tuning "
    "give it statistics again with sodkeras weights import --pictures=FOLDER"
)
_NON_COMMERCIAL = "CC BY-NC-SA 4.0 if it is the authors' file: non-commercial, and derived weights stay under it"
#: A name that only this network's state dict has, and the licence of the released weights where it is not a preset's.
_STATE_DICTS = {
    "u2net": ("stage1.rebnconvin.conv_s1.weight", None),
    "csnet": ("stage0.0.conv1x1.conv.weight", _NON_COMMERCIAL),
    "cii": ("base.resnet.conv1.weight", "none if it is the authors' file: all rights are reserved"),
    "csf_resnet": ("base.conv1.0.weight", _NON_COMMERCIAL),
}


class Imported(typing.NamedTuple):
    """A released file as a model, what is known of its licence (or None), and what its user should know."""

    model: object
    licence: str | None
    notes: tuple


def import_file(path, plan=None, **arguments):
    """Turns a released file into a Keras model of this project.

    Args:
        path: an ONNX file of U²-Net or U²-Net†, or a PyTorch checkpoint of theirs, of CSNet, CII or CSF+Res2Net.
        plan: the file of a CSNet's channel plan (released `.bin`, or JSON), which the checkpoint must then fit; the
            channels are otherwise read off the checkpoint's shapes.
        **arguments: further arguments of the network's class, such as `name` and `preprocessing`.

    Returns:
        An `Imported`.

    Raises:
        SodkerasError: if the file cannot be read or is of no network known here.
    """
    from sodkeras.checkpoints import csnet_plan, onnx_file, pytorch_file

    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        convolutions = onnx_file.read_convolutions(path)
        arrays = [array for pair in convolutions for array in pair if array is not None]
        return Imported(_build("u2net", "from_convolutions", convolutions, arrays, path, arguments), None, (_FOLDED,))
    if suffix not in (".pth", ".pt", ".tar"):
        raise SodkerasError(f"Only .onnx, .pth, .pt and .pth.tar files are imported. Received: {path}")
    arrays = pytorch_file.read_state_dict(path)
    for network, (name, licence) in _STATE_DICTS.items():
        if name in arrays:
            if plan and network == "csnet":
                arguments["plan"] = csnet_plan.read_plan(plan)
            model = _build(network, "from_state_dict", arrays, arrays.values(), path, arguments)
            return Imported(model, licence, ())
    raise SodkerasError(
        f"The state dict in {path} is that of no network known here. Received: the names {sorted(arrays)[:3]} …"
    )


def _build(network, how, content, arrays, path, arguments):
    """The network that a file's content is of; what its shapes ask for beyond the file's numbers is never allocated."""
    from sodkeras.keras_file import at_most

    reader = getattr(importlib.import_module(f"sodkeras.checkpoints.{network}"), how)
    arrays = list(arrays)
    # Batch norms that an export folded away come again, and one array may be shared out over a layer's scales.
    with at_most(2 * sum(array.size for array in arrays), 32 * len(arrays)):
        try:
            return reader(content, **arguments)
        except SodkerasError:
            raise
        except Exception as error:  # numbers that no released file has end a network's constructor as they happen to
            raise SodkerasError(
                f"The arrays in the file make no network known here ({reason(error)}). Received: {path}"
            ) from None
