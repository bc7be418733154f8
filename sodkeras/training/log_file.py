"""A training run's log.csv: a row an epoch, and no row that is half written."""

import csv
import os
from collections.abc import Sequence

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, whole_file


def write_log(path: str | os.PathLike, rows: Sequence[dict]) -> None:
    """Writes rows, dicts with "epoch" and "step" at least; the file is whole or as it was.

    A row may have what those before it have not.
    """
    columns = dict.fromkeys(["epoch", "step"]) | dict.fromkeys(name for row in rows for name in row)
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_log(path: str | os.PathLike) -> list[dict[str, str]]:
    """The rows of a log.csv, a list of dicts of text, without the cells that are empty.

    Raises:
        SodkerasError: if the file is missing or no such log.
    """
    reader = csv.DictReader(read_bytes(path).decode("utf-8", errors="replace").splitlines())
    try:
        if not {"epoch", "step"} <= set(reader.fieldnames or ()):
            raise ValueError
        rows = [{name: cell for name, cell in row.items() if cell} for row in reader]
        for row in rows:
            int(row["epoch"]), int(row["step"]), [float(cell) for cell in row.values()]
    except (KeyError, TypeError, ValueError, csv.Error):
        raise SodkerasError(
            f"The file is no log of a training run, or is damaged; move it away. Received: {path}"
        ) from None
    return rows
