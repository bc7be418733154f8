"""CSNet's released layer configurations as channel plans."""

import io
import json
import pathlib
import pickle

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, reason
from sodkeras.models.channel_plan import check_plan

#: Entries of the released list behind the blocks: fusion, dilated convolutions, merging, blocks in stages 1 to 4.
_HEAD_ENTRIES = 4


def read_plan(path):
    """The channel plan in a file: this project's JSON, or the released layer configuration as pickle or JSON.

    A pickle is read without executing anything it holds: it may name three constructors of NumPy and nothing else, and
    even those are replaced by stand-ins that do no more than keep their arguments.

    Args:
        path: a `.json` file, or the released `.bin` file.

    Returns:
        A plan as described in `sodkeras.models.channel_plan`.

    Raises:
        SodkerasError: if the file is neither, or its numbers make no network.
    """
    content = read_bytes(path)
    try:
        stored = json.loads(content) if pathlib.Path(path).suffix.lower() == ".json" else _unpickle(content)
    except Exception as error:  # a damaged file can fail in any way
        raise SodkerasError(f"The file holds no channel plan ({reason(error)}). Received: {path}") from None
    try:
        return check_plan(stored if isinstance(stored, dict) else _from_released(stored))
    except SodkerasError:
        raise
    except Exception:  # numbers and lists where the others are expected
        raise SodkerasError(f"The file holds no layer configuration of a CSNet. Received: {path}") from None


def _from_released(entries):
    *blocks, fuse, dilated, merge, counts = entries
    rows = iter(blocks)
    stages = [[list(next(rows)[1]) for _ in range(int(count))] for count in [1, *counts]]
    if len(list(rows)) or len(entries) != sum(map(len, stages)) + _HEAD_ENTRIES:
        raise ValueError("blocks are left over")
    mixed = list(fuse[1])
    return {
        "stages": stages,
        "fusion": {
            "stages": list(range(len(stages) - len(mixed), len(stages))),
            "mixed": mixed,
            "dilation_rates": [1, 2, 4, 8, 16],
            "dilated": [list(row) for row in dilated[2]],
            "filters": merge[1][0],
        },
    }


class _Dtype:
    """Stands in for `numpy.dtype`."""

    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        self.byte_order = state[1]


class _Array(list):
    """Stands in for `numpy.ndarray`: a list, filled from the bytes of a little-endian array of numbers."""

    def __setstate__(self, state):
        _, shape, dtype, is_fortran_order, content = state
        if dtype.code not in ("f8", "f4", "i8", "i4") or dtype.byte_order != "<" or not isinstance(content, bytes):
            raise pickle.UnpicklingError(f"an array of {dtype.code} instead of numbers")
        order = "F" if is_fortran_order else "C"
        self[:] = np.frombuffer(content, f"<{dtype.code}").reshape(shape, order=order).tolist()


_STAND_INS = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no plan needs") from None


def _unpickle(content):
    return _Unpickler(io.BytesIO(content)).load()
