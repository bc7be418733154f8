"""Readers of the authors' released files, and the name maps of each network.

`onnx_file` and `pytorch_file` turn a file into plain arrays; one module per network knows which array is which layer;
`import_file` finds out which network a file holds.
"""

import pathlib
import typing

from sodkeras.errors import SodkerasError

_FOLDED = (
    "batch norm is folded into the convolutions of this file: predict and convert as you like, but before fine-tuning "
    "give it statistics again with sodkeras weights import --statistics=FOLDER_OF_PICTURES"
)
_CSNET_LICENCE = "CC BY-NC-SA 4.0 if it is the authors' file: non-commercial, and derived weights stay under it"


class Imported(typing.NamedTuple):
    """A released file as a model, what is known of its licence (or None), and what its user should know."""

    model: object
    licence: str | None
    notes: tuple


def import_file(path, plan=None, **arguments):
    """Turns a released file into a Keras model of this project.

    Args:
        path: an ONNX file of U²-Net or U²-Net†, or a PyTorch checkpoint of U²-Net, U²-Net† or CSNet.
        plan: the file of a CSNet's channel plan (released `.bin`, or JSON), which the checkpoint must then fit; the
            channels are otherwise read off the checkpoint's shapes.
        **arguments: further arguments of the network's class, such as `name` and `preprocessing`.

    Returns:
        An `Imported`.

    Raises:
        SodkerasError: if the file cannot be read or is of no network known here.
    """
    from sodkeras.checkpoints import csnet, csnet_plan, onnx_file, pytorch_file, u2net

    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        model = u2net.from_convolutions(onnx_file.read_convolutions(path), **arguments)
        return Imported(model, None, (_FOLDED,))
    if suffix not in (".pth", ".pt", ".tar"):
        raise SodkerasError(f"Only .onnx, .pth, .pt and .pth.tar files are imported. Received: {path}")
    arrays = pytorch_file.read_state_dict(path)
    if "stage0.0.conv1x1.conv.weight" in arrays:
        planned = {"plan": csnet_plan.read_plan(plan)} if plan else {}
        return Imported(csnet.from_state_dict(arrays, **planned, **arguments), _CSNET_LICENCE, ())
    return Imported(u2net.from_state_dict(arrays, **arguments), None, ())
