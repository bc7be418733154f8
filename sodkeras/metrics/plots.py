"""Precision–recall and F–threshold curves of several methods as pictures and as numbers."""

import importlib.util
import json
import os
import pathlib
import re

import numpy as np

from sodkeras.files import whole_file
from sodkeras.progress import say

# The metrics that have such curves, and how their plots say which convention they follow.
_CONVENTIONS = {"f": ("averaged precision–recall", ""), "f_per_image": ("per-image curves", "_per_image")}


def write_curves(
    folder: str | os.PathLike, curves: dict[str, dict[str, dict[str, dict[str, np.ndarray]]]]
) -> list[pathlib.Path]:
    """Writes curves.json and, where matplotlib is there, what `plot_curves` does; arguments and result are the same."""
    path = pathlib.Path(folder) / "curves.json"
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(curves, default=lambda array: array.tolist()), encoding="utf-8")
    if importlib.util.find_spec("matplotlib") is None:
        say('no plots of the curves: pip install "sodkeras[train]" for them')
        return [path]
    return [path, *plot_curves(folder, curves)]


def plot_curves(
    folder: str | os.PathLike, curves: dict[str, dict[str, dict[str, dict[str, np.ndarray]]]]
) -> list[pathlib.Path]:
    """Writes precision_recall_SET.png and f_SET.png for each set, for each of the two conventions that was computed.

    Args:
        folder: where to.
        curves: `{set: {method: Evaluator.curves()}}`.

    Returns:
        The paths written.
    """
    paths = []
    for name, methods in curves.items():
        safe_name = re.sub(r"[^\w.-]+", "_", name)
        for metric, (words, suffix) in _CONVENTIONS.items():
            of_metric = {method: values[metric] for method, values in methods.items() if metric in values}
            for kind, plot in (("precision_recall", plot_precision_recall), ("f", plot_f)) if of_metric else ():
                paths.append(pathlib.Path(folder) / f"{kind}_{safe_name}{suffix}.png")
                with whole_file(paths[-1]) as temporary:
                    plot(temporary, f"{name} ({words})", of_metric)
    return paths


def plot_precision_recall(path: str | os.PathLike, title: str, curves: dict[str, dict[str, np.ndarray]]) -> None:
    """Writes a PNG with one precision–recall curve for each method.

    Args:
        path: the file to write.
        title: printed above.
        curves: `{method: {"precision": [256], "recall": [256]}}`, as `FMeasure.curves` gives them.
    """
    figure, axes = _square(title, "recall", "precision")
    for method, curve in curves.items():
        axes.plot(curve["recall"], curve["precision"], label=method)
    _write(figure, axes, path, "lower left")


def plot_f(path: str | os.PathLike, title: str, curves: dict[str, dict[str, np.ndarray]]) -> None:
    """Writes a PNG with one F–threshold curve for each method, `{method: {"f": [256]}}`; its maximum in the legend."""
    figure, axes = _square(title, "threshold", "F-measure")
    for method, curve in curves.items():
        axes.plot(np.arange(256), curve["f"], label=f"{method} ({curve['f'].max():.3f})")
    axes.set_xlim(0, 255)
    _write(figure, axes, path, "lower center")


def _square(title, x_label, y_label):
    # A figure of its own, not pyplot's: nothing global changes, and no screen is needed.
    from matplotlib.figure import Figure  # an extra brings it

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=x_label, ylabel=y_label, xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    return figure, axes


def _write(figure, axes, path, legend):
    axes.legend(loc=legend, fontsize="small")
    figure.savefig(path, dpi=150, format="png")
