"""Where a run stands, on disk: what training needs to go on as if it had never stopped."""

import contextlib
import json
import os
import pathlib
import re

import keras
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.files import ZIP_ERRORS, declared_size, whole_file
from sodkeras.progress import warn

# A damaged file leaves the one before it.
_KEPT = 2


class Checkpoints:
    """The checkpoints of a run: `step-00000200.npz` and the like, the last two.

    A file holds every variable of the model (weights, batch norm's statistics, random states, the running means of the
    epoch's metrics) and of its optimizer (moments, moving averages, gathered gradients, the step that the schedule is
    at), the step of the run, and `notes`. It is whole or absent, and carries check sums.

    Args:
        folder: where they are.
        model: a compiled model whose optimizer is built.
        write: whether this process may write: of several workers only the chief.
    """

    def __init__(self, folder: str | os.PathLike, model: keras.Model, write: bool = True) -> None:
        self.folder = pathlib.Path(folder)
        self._model = model
        self._write = write

    def save(self, step: int, notes: dict) -> None:
        """Writes a checkpoint and drops the oldest.

        Args:
            step: batches seen since the run began.
            notes: anything else that JSON carries.

        Raises:
            SodkerasError: if the weights are no numbers any more, or there is no place; what is there stays.
        """
        # Every worker reads, for reading may need them all.
        arrays = [keras.ops.convert_to_numpy(variable) for variable in self._variables()]
        if not all(np.isfinite(values).all() for values in arrays if values.dtype.kind == "f"):
            raise SodkerasError(
                "The weights are no finite numbers any more and were not saved; start anew with a lower learning_rate, "
                f"warm_up_epochs or clip_norm. Received: weights of step {step}"
            )
        if not self._write:
            return
        header = np.array(json.dumps({"step": step, "notes": notes, "arrays": len(arrays)}))
        with whole_file(self.folder / f"step-{step:08}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, header=header, **{f"{index:05}": values for index, values in enumerate(arrays)})
        for path in self._paths()[_KEPT:]:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def restore(self) -> tuple[int, dict]:
        """Puts the last checkpoint that is whole into the model and its optimizer.

        Returns:
            `(step, notes)`; `(0, {})` if there is none.

        Raises:
            SodkerasError: if it is of another network or optimizer, or larger than memory, or all of them are damaged.
        """
        if self._write:
            for path in self.folder.glob(".*.npz"):  # what a killed process had begun to write
                path.unlink()
        damaged = []
        for path in self._paths():
            try:
                header, arrays = _read(path)
            except (*ZIP_ERRORS, TypeError, SyntaxError, OverflowError):
                damaged.append(path)
                continue
            except MemoryError:
                raise SodkerasError(
                    f"The checkpoint does not fit into memory; free some and start the run again. Received: {path}"
                ) from None
            self._assign(path, arrays)
            for bad in damaged:
                warn(f"{bad.name} is damaged; training goes on from {path.name}")
                if self._write:
                    bad.unlink(missing_ok=True)
            return header["step"], header["notes"]
        if damaged:
            raise SodkerasError(
                f"Every checkpoint of this run is damaged; delete the folder to begin anew. Received: {self.folder}"
            )
        return 0, {}

    def _paths(self):
        """The newest first."""
        return sorted((path for path in self.folder.glob("step-*.npz") if _is_checkpoint(path)), reverse=True)

    def _variables(self):
        """All variables in the order in which they were made, each once."""
        model = self._model
        variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
        return list({id(variable): variable for variable in variables}.values())

    def _assign(self, path, arrays):
        variables = self._variables()
        expected = [tuple(variable.shape) for variable in variables]
        found = [values.shape for values in arrays]
        if expected != found:
            raise SodkerasError(
                f"The checkpoint is of another network or optimizer, with {len(found)} arrays where these have "
                f"{len(expected)}, or other shapes; choose another --out. Received: {path}"
            )
        for variable, values in zip(variables, arrays, strict=True):
            variable.assign(values)


def _is_checkpoint(path):
    return re.fullmatch(r"step-\d+\.npz", path.name)


def _read(path):
    """A checkpoint's header and arrays; every member's check sum is compared on the way.

    For a file that `Checkpoints` did not write it raises ValueError, or what NumPy raises.
    """
    if declared_size(path) > os.stat(path).st_size:
        raise ValueError("it is packed, as no checkpoint is")
    with np.load(path, allow_pickle=False) as file:
        header = json.loads(str(file["header"]))
        if not isinstance(header["step"], int) or "notes" not in header:
            raise ValueError("the header is no checkpoint's")
        arrays = [file[f"{index:05}"] for index in range(header["arrays"])]
    if any(values.dtype.kind in "OSUmM" for values in arrays):
        raise ValueError("texts instead of numbers")
    return header, arrays
