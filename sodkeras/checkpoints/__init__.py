"""Readers of the authors' released files, and the name maps of each network.

`onnx_file` and `pytorch_file` turn a file into plain arrays; one module per network knows which array is which layer;
`import_file` finds out which network a file holds.
"""

import pathlib

from sodkeras.errors import SodkerasError

FOLDED = (
    "batch norm is folded into the convolutions of this file: predict and convert as you like, but before fine-tuning "
    "give it statistics again with sodkeras weights import --statistics=FOLDER_OF_PICTURES"
)


def import_file(path, **arguments):
    """Turns a released file into a Keras model of this project.

    Args:
        path: an ONNX file of U²-Net or U²-Net†, or a PyTorch checkpoint of theirs.
        **arguments: further arguments of the network's class, such as `name` and `preprocessing`.

    Returns:
        The model, and a list of sentences that its user should know.

    Raises:
        SodkerasError: if the file cannot be read or is of no network known here.
    """
    from sodkeras.checkpoints import onnx_file, pytorch_file, u2net

    path = pathlib.Path(path)
    if path.suffix.lower() == ".onnx":
        return u2net.from_convolutions(onnx_file.read_convolutions(path), **arguments), [FOLDED]
    if path.suffix.lower() in (".pth", ".pt", ".tar"):
        return u2net.from_state_dict(pytorch_file.read_state_dict(path), **arguments), []
    raise SodkerasError(f"Only .onnx, .pth, .pt and .pth.tar files are imported. Received: {path}")
