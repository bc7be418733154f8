"""Several training runs on one page: where their settings differ, their curves in one chart, their scores."""

import pathlib
from collections.abc import Sequence
from typing import Any

from sodkeras import report
from sodkeras.errors import SodkerasError
from sodkeras.training.run_charts import curves, log_numbers
from sodkeras.training.run_report import evaluation_parts, read_record, setting_rows


def write_comparison(folders: Sequence[Any], path: Any) -> None:
    """Writes a page that compares runs, finished or not.

    Args:
        folders: the runs' folders; each is called by its name, or by its path where two have one name.
        path: the page.

    Raises:
        SodkerasError: as `write_report`, or if a run is named twice.
    """
    runs = _label([pathlib.Path(folder) for folder in folders])
    records = {label: read_record(folder) for label, folder in runs.items()}
    logs = {label: log_numbers(folder) for label, folder in runs.items()}
    rows = {label: dict(setting_rows(record)) for label, record in records.items()}
    names = dict.fromkeys(name for of_run in rows.values() for name in of_run)
    cells = [[name, *(of_run.get(name, "") for of_run in rows.values())] for name in names]
    differing = [cell for cell in cells if len(set(cell[1:])) > 1]
    parts = [
        report.heading("What differs"),
        report.table(differing, ["setting", *runs]),
        report.heading("Curves"),
        report.figures(curves(logs), "24rem"),
    ]
    for label, folder in runs.items():
        parts += evaluation_parts(folder, records[label], f"Evaluation of {label}")
    report.write_page(path, f"{len(runs)} training runs", parts)


def _label(folders):
    names = [folder.resolve().name for folder in folders]
    labels = [name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)]
    if len(set(labels)) < len(labels):
        raise SodkerasError(f"Name every run once. Received: {', '.join(map(str, folders))}")
    return dict(zip(labels, folders, strict=True))
