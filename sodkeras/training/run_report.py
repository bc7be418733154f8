"""What came of a training run, on one page: report.html in its folder."""

import json
import math
import os
import pathlib
import re

from tqdm import tqdm

from sodkeras import report
from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes
from sodkeras.metrics.tables import HEADINGS
from sodkeras.pictures import encode_jpeg, encode_png, read_picture
from sodkeras.training.run_charts import curves, log_numbers
from sodkeras.training.run_folder import inside
from sodkeras.training.settings import read_recipe, recipe_names

_WIDE = "24rem"


def write_report(folder: str | os.PathLike) -> pathlib.Path:
    """Writes report.html into a run's folder, from what is there by now: the run may be unfinished.

    It shows where settings.json differs from the recipe, the curves of log.csv, the tables and plots under evaluation/
    as `sodkeras evaluate` writes them, the maps under samples/, and the same of the fine-tuning under pruned/.

    The folder may be somebody else's. Nothing in it is executed: a recipe that does not come with the package is a name
    and nothing more. Only pictures are embedded, decoded and encoded anew, and what a link leads to outside is refused.

    Args:
        folder: the run's.

    Returns:
        The page's path.

    Raises:
        SodkerasError: if the folder has no settings.json or log.csv, or one of the files is damaged or a link that
            leads out of the folder.
    """
    folder = pathlib.Path(folder)
    name = folder.resolve().name
    record = read_record(folder)
    parts = [*_summary_parts(record, log_numbers(folder)), *_log_parts(folder, name)]
    if inside(folder, folder / "pruned" / "log.csv").exists():
        parts.append(report.heading("Fine-tuning of the pruned network"))
        rows = log_numbers(folder / "pruned")
        parts.append(report.paragraph(_progress(read_record(folder / "pruned"), rows)))
        parts += _log_parts(folder / "pruned", "pruned")
    parts += evaluation_parts(folder, record)
    parts.append(report.details("All settings", report.table(setting_rows(record), ["setting", "value"])))
    report.write_page(folder / "report.html", f"{name}: a training run", parts)
    return folder / "report.html"


def read_record(folder: pathlib.Path) -> dict:
    """A run's settings.json as a dict with "settings".

    Raises:
        SodkerasError: if it is missing, damaged, or outside the folder, or a value is of another kind than training
            writes.
    """
    path = inside(folder, folder / "settings.json")
    if not path.is_file():
        raise SodkerasError(f"This is no folder of a training run: it has no settings.json. Received: {folder}")
    record = _read_json(path)
    if not _is_record(record):
        raise SodkerasError(f"The file has no settings of a training run; restore it. Received: {path}")
    return record


def _is_record(record):
    if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
        return False
    data = record.get("data", {})
    return (
        isinstance(record.get("recipe"), str | None)
        and isinstance(record.get("changes", {}), dict)
        and isinstance(record["settings"].get("epochs"), int | None)
        and isinstance(data, dict)
        and isinstance(data.get("sets", []), list)
        and all(isinstance(name, str) for name in data.get("sets", []))
    )


def _read_json(path):
    try:
        return json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, SodkerasError):
            raise
        raise SodkerasError(f"The file is damaged; restore it, or delete it and run again. Received: {path}") from None


def _summary_parts(record, rows):
    """How far the run is, what it learns from, and where its settings differ from the recipe's."""
    recipe, settings, data = record.get("recipe"), record["settings"], record.get("data", {})
    title = f"{settings.get('model', 'A network')}"
    if recipe:
        title += f", recipe {recipe}" + (", its short version" if record.get("short") else "")
    texts = [f"{title}. {_progress(record, rows)}"]
    if data:
        texts.append(
            f"{data.get('training')} pictures to train on and {data.get('validation')} to validate with, of "
            f"{', '.join(data.get('sets', []))}."
        )
    parts = [report.paragraph(text) for text in texts]
    if not recipe:
        return parts
    try:
        # A recipe of the user's own is Python, which only he may have run, by naming it to train.
        usual = read_recipe(recipe, bool(record.get("short"))).to_dict() if recipe in recipe_names() else None
    except SodkerasError:  # another version's recipe
        usual = None
    if usual is None:
        changes = record.get("changes", {})
        return [*parts, report.table([[n, _text(v)] for n, v in changes.items()], ["changed setting", "this run"])]
    differing = [name for name in settings if settings[name] != usual.get(name)]
    if not differing:
        return [*parts, report.paragraph("Every setting is the recipe's.")]
    cells = [[name, _text(usual.get(name)), _text(settings[name])] for name in differing]
    return [*parts, report.table(cells, ["setting", "recipe", "this run"])]


def _progress(record, rows):
    """How far a run is."""
    epochs = record["settings"].get("epochs")
    if not rows:
        return "No epoch is finished yet."
    last = rows[-1]
    seconds = sum(row.get("seconds", 0) for row in rows)
    time = tqdm.format_interval(seconds) if math.isfinite(seconds) else "an unknown time"
    state = "The run is unfinished: epoch" if epochs and last["epoch"] < epochs else "Epoch"
    return f"{state} {last['epoch']:.0f} of {epochs}, step {last['step']:.0f}, {time} of training and validation."


def _log_parts(folder, label):
    """Curves, best results and sample maps of a run's folder, or of its fine-tuning's."""
    rows = log_numbers(folder)
    parts = []
    if rows:
        parts += [report.heading("Curves"), report.figures(curves({label: rows}), _WIDE), *_best_parts(rows)]
    samples = [path for path in sorted(inside(folder, folder / "samples").glob("*/")) if _maps(path)]
    if samples:
        parts.append(report.heading("Maps while it learned"))
    for sample in samples:
        found = [("picture", sample / "picture.jpg"), ("mask", sample / "mask.png")]
        found += [(f"epoch {epoch}", path) for epoch, path in _maps(sample)]
        parts.append(report.paragraph(sample.name.split("-", 1)[-1]))
        parts.append(report.figures([_picture(caption, inside(folder, path)) for caption, path in found]))
    return parts


def _maps(sample):
    """`[(epoch, path), …]` of a sample's maps."""
    named = [(re.fullmatch(r"map-([0-9]{1,9})\.png", path.name), path) for path in sorted(sample.glob("map-*.png"))]
    return [(int(name[1]), path) for name, path in named if name]


def _best_parts(rows):
    """A table of the validation's results: the last, and the best with its epoch."""
    cells = []
    for name in rows[-1]:
        points = [(row[name], row["epoch"]) for row in rows if math.isfinite(row.get(name, math.nan))]
        if name.startswith("val_") and points:
            best, epoch = (min if name.endswith(("loss", "mae")) else max)(points, key=lambda point: point[0])
            cells.append([name, f"{rows[-1][name]:.4f}", f"{best:.4f}", f"{epoch:.0f}"])
    return [report.table(cells, ["validation", "last", "best", "in epoch"])] if cells else []


def evaluation_parts(folder: pathlib.Path, record: dict, title: str = "Evaluation") -> list[str]:
    """The table of a run's evaluation/scores.json with its conventions, and the curves beside it.

    Args:
        folder: the run's; one without an evaluation gives nothing.
        record: the run's settings.json.
        title: of the heading.

    Raises:
        SodkerasError: if a file is damaged, or a link that leads out of the folder.
    """
    path = inside(folder, folder / "evaluation" / "scores.json")
    if not path.exists():
        return []
    scores = _read_json(path)
    try:
        results = [name for name in HEADINGS if any(name in row for row in scores["scores"])]
        cells = [
            [
                _text(row["set"]),
                _text(row["method"]),
                _text(row["pictures"]),
                *(f"{row[n]:.4f}" if n in row else "" for n in results),
            ]
            for row in scores["scores"]
        ]
        conventions = report.bullets(scores["conventions"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise SodkerasError(
            f"The file is not what sodkeras evaluate writes; delete it and evaluate again. Received: {path}"
        ) from None
    headers = ["set", "method", "pictures", *(HEADINGS[name] for name in results)]
    parts = [report.heading(title), report.table(cells, headers), conventions]
    synthetic = [name for name in record.get("data", {}).get("sets", []) if name.startswith("synthetic")]
    if synthetic:
        parts.append(report.paragraph(f"Among the data are generated pictures, no photos: {', '.join(synthetic)}."))
    plots = [inside(folder, plot) for plot in sorted(path.parent.glob("*.png"))]
    return [*parts, report.figures([_picture(plot.stem.replace("_", " "), plot) for plot in plots], _WIDE)]


def _picture(caption, path):
    """As `sodkeras.report.figures` takes it: encoded anew, so that nothing but its pixels comes onto the page."""
    pixels = read_picture(path)
    return (
        (caption, encode_jpeg(pixels), "image/jpeg")
        if path.suffix == ".jpg"
        else (caption, encode_png(pixels), "image/png")
    )


def setting_rows(record: dict) -> list[list[str]]:
    """Every value of settings.json, `[[name, text], …]`."""
    rows = []
    for name, value in record.items():
        if isinstance(value, dict):
            rows += [[f"{name}.{key}" if name != "settings" else key, _text(item)] for key, item in value.items()]
        else:
            rows.append([name, _text(value)])
    return rows


def _text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
