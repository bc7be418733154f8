"""PyTorch checkpoints as plain arrays."""

from sodkeras.errors import SodkerasError, first_line


def read_state_dict(path):
    """The state dict of a PyTorch checkpoint, read without executing anything the file holds.

    Args:
        path: what `torch.save` wrote: a state dict, or a training checkpoint with one under "state_dict".

    Returns:
        A dict of the stored names, without a leading "module.", to NumPy arrays in PyTorch's layout.

    Raises:
        SodkerasError: if torch is not installed, or the file is no checkpoint of plain tensors.
    """
    try:
        import torch
    except ImportError:
        raise SodkerasError(
            f'Reading a PyTorch file needs torch: pip install "sodkeras[torch]". Received: {path}'
        ) from None
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # foreign bytes end the unpickler as they happen to: IndexError, KeyError
        raise SodkerasError(
            f"The file is no PyTorch checkpoint of plain tensors ({first_line(error)}). Received: {path}"
        ) from None
    stored = stored.get("state_dict", stored) if isinstance(stored, dict) else {}
    arrays = {
        name.removeprefix("module."): tensor.numpy()
        for name, tensor in stored.items()
        if isinstance(tensor, torch.Tensor)
    }
    if not arrays:
        raise SodkerasError(f"The PyTorch file holds no state dict. Received: {path}")
    return arrays
