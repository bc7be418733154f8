"""PyTorch checkpoints as plain arrays."""

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.files import check_size, declared_size, reason, regular_file


def read_state_dict(path):
    """The state dict of a PyTorch checkpoint, read without executing anything the file holds.

    The sizes that the file declares are checked before it is unpacked, and those of its tensors before they are
    copied, see `sodkeras.files.check_size`.

    Args:
        path: what `torch.save` wrote: a state dict, or a training checkpoint with one under "state_dict".

    Returns:
        A dict of the stored names, without a leading "module.", to NumPy arrays in PyTorch's layout; bfloat16 and other
        floats that NumPy lacks as float32.

    Raises:
        SodkerasError: if torch is not installed, or the file is missing, larger inside than a network is, or no
            checkpoint of plain tensors of real numbers.
    """
    path = regular_file(path)
    try:
        import torch
    except ImportError:
        raise SodkerasError(
            f'Reading a PyTorch file needs torch: pip install "sodkeras[torch]". Received: {path}'
        ) from None
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\3\4"  # what torch.load goes by
    if is_zip:
        check_size(path, declared_size(path))
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # foreign bytes end the unpickler as they happen to; what it advises would execute them
        raise SodkerasError(
            "The file is damaged, or no PyTorch checkpoint of plain tensors; get it anew, or have whoever made it save "
            f"the state dict alone. Received: {path}"
        ) from None
    stored = stored.get("state_dict", stored) if isinstance(stored, dict) else {}
    tensors = {}
    for name, value in stored.items() if isinstance(stored, dict) else ():
        if isinstance(name, str) and isinstance(value, torch.Tensor):
            tensors[name.removeprefix("module.")] = value
    if not tensors:
        raise SodkerasError(f"The PyTorch file holds no state dict. Received: {path}")
    # A tensor of a single stored number can have any shape.
    check_size(path, sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    return {name: _array(name, tensor, path) for name, tensor in tensors.items()}


def _array(name, tensor, path):
    try:
        tensor = tensor.detach()
        if tensor.is_floating_point() and not hasattr(np, str(tensor.dtype).removeprefix("torch.")):
            tensor = tensor.float()
        array = tensor.numpy()
        if array.dtype.kind not in "biuf":
            raise TypeError(f"numbers of type {array.dtype}")
    except Exception as error:  # sparse, quantized, complex, or without a device
        raise SodkerasError(
            f"The tensor {name} is no plain one of real numbers ({reason(error)}); save it as float32. Received: {path}"
        ) from None
    return array
