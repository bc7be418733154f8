"""The curves of training runs as charts."""

import io
import math
import pathlib

from sodkeras.errors import SodkerasError
from sodkeras.training.log_file import read_log
from sodkeras.training.run_folder import inside

# Greater numbers overflow in matplotlib's axes.
_LARGEST = 1e100


def log_numbers(folder: pathlib.Path) -> list[dict[str, float]]:
    """The rows of a run's log.csv as dicts of numbers.

    Raises:
        SodkerasError: as `read_log`, for an epoch or step that is no number a run can reach, or for a link that leads
            out of the folder.
    """
    path = inside(folder, pathlib.Path(folder) / "log.csv")
    rows = [{name: float(cell) for name, cell in row.items()} for row in read_log(path)]
    if not all(0 <= row[name] < 1e15 for row in rows for name in ("epoch", "step")):
        raise SodkerasError(f"The file is no log of a training run, or is damaged; move it away. Received: {path}")
    return rows


def curves(runs: dict[str, list[dict]]) -> list:
    """Charts of what a log holds, over the steps.

    Args:
        runs: `{label: rows}`, rows as `log_numbers` gives them. Two runs are told apart by colour, training from
            validation by a dashed line.

    Returns:
        `(caption, PNG bytes, MIME type)` for each chart, as `sodkeras.report.figures` takes them.
    """
    names = list(dict.fromkeys(name for rows in runs.values() for row in rows for name in row))
    losses = [name for name in ("loss", "val_loss") if name in names]
    charts = {" and ".join(losses): losses} if _are_alike(losses, runs) else {name: [name] for name in losses}
    charts |= {
        "loss of each output": [name for name in names if name.endswith("_loss") and name != "val_loss"],
        "learning rate": ["learning_rate"],
        "share of γ under 1e-20": ["gamma_sparsity"],
    }
    known = {"epoch", "step", "seconds"}.union(*charts.values())
    for name in names:
        if name not in known:  # MAE and F share no axis; a score and its validation do
            charts.setdefault(name.removeprefix("val_").replace("_", " "), []).append(name)
    return [
        (caption, _chart(of_chart, runs), "image/png")
        for caption, of_chart in charts.items()
        if any(name in names for name in of_chart)
    ]


def _plain(text):
    """As matplotlib draws it unchanged: a dollar sign begins a formula there, and a file's name may be no UTF-8."""
    return text.encode(errors="backslashreplace").decode().replace("$", r"\$")


def _are_alike(names, runs):
    """Whether numbers are of one size; a training loss with weight decay in it may dwarf the validation's."""
    values = [[row.get(name, math.nan) for rows in runs.values() for row in rows] for name in names]
    finite = [[value for value in of_name if math.isfinite(value)] for of_name in values]
    means = [sum(of_name) / len(of_name) for of_name in finite if of_name]
    return not means or max(means) < 20 * min(means)


def _chart(names, runs):
    from matplotlib.figure import Figure

    # A figure of its own, not pyplot's: nothing global changes, and no screen is needed.
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.add_subplot(xlabel="step")
    lowest, highest = math.inf, 0
    for colour, (label, rows) in enumerate(runs.items()):
        for line, name in enumerate(names):
            points = [(row["step"], row[name]) for row in rows if abs(row.get(name, math.nan)) < _LARGEST]
            if not points:
                continue
            steps, values = zip(*points, strict=True)
            axes.plot(
                steps,
                values,
                "--" if name.startswith("val_") else "-",
                marker="." if len(points) < 30 else None,
                color=f"C{(colour if len(runs) > 1 else line) % 10}",
                label=_plain(name if len(runs) == 1 else f"{label}: {name}"),
            )
            lowest, highest = min(lowest, *values), max(highest, *values)
    if lowest > 0 and highest > 20 * lowest:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small")
    content = io.BytesIO()
    figure.savefig(content, dpi=130, format="png")
    return content.getvalue()
