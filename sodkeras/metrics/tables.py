"""Scores of several methods on several sets as text: terminal, Markdown, LaTeX, CSV, JSON."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from sodkeras.files import whole_file
from sodkeras.metrics.evaluator import Evaluator

#: Headings of the results, in the order of a table's columns.
HEADINGS = {
    "mae": "MAE",
    "max_f": "maxF",
    "mean_f": "meanF",
    "max_f_per_image": "maxF (per image)",
    "mean_f_per_image": "meanF (per image)",
    "adaptive_f": "adaptive F",
    "s": "S",
    "max_e": "maxE",
    "mean_e": "meanE",
    "adaptive_e": "adaptive E",
    "weighted_f": "weighted F",
    "boundary_f": "boundary F",
}


def conventions(
    rows: Sequence[dict[str, Any]], evaluator: Evaluator, count_empty_masks: bool = True, resized: bool = False
) -> list[str]:
    """What a table's numbers mean, as a list of sentences.

    Args:
        rows: those of the table.
        evaluator: an `Evaluator` with the table's metrics, after its last picture.
        count_empty_masks: see `Metric`.
        resized: whether maps of another size were brought to their mask's.
    """
    thresholds = ", ".join(f"{name} {value:g}" for name, value in _by_set(rows, "ground_truth_threshold").items())
    counts = {name: count for name, count in _by_set(rows, "empty_masks").items() if count}
    empty = ", ".join(f"{name} has {count}" for name, count in counts.items()) or "there are none"
    resizing = "; maps of another size resized to their mask's, bilinear" if resized else ""
    sentences = [
        f"maps: 8 bit, floor(255·s), not stretched{resizing}",
        f"masks: salient above the share of 255 that is given for the set: {thresholds}",
        f"empty masks {'count' if count_empty_masks else 'are left out'}: {empty}",
    ]
    for name, sentence in evaluator.conventions().items():
        headings = ", ".join(HEADINGS[result] for result in evaluator.metrics[name].result())
        sentences.append(f"{headings}: {sentence}")
    return sentences


def _by_set(rows, column):
    return {row["set"]: row[column] for row in rows}


class ScoreTable:
    """Rows of scores with the conventions that give them their meaning.

    Args:
        rows: a list of dicts with "set", "method", "pictures" (those that count), "empty_masks",
            "ground_truth_threshold" and the results by name.
        conventions: a list of sentences, printed with every form of the table but CSV.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], conventions: list[str]) -> None:
        self.rows = rows
        self.conventions = conventions
        self.results = [name for name in HEADINGS if any(name in row for row in rows)]

    def terminal(self) -> str:
        """A table whose headings are broken into lines, and the conventions."""
        headings = [heading.replace(" ", "\n") for heading in self._headings()]
        return f"{tabulate(self._cells(), headings, floatfmt='.4f')}\n\n{self._conventions('  ')}"

    def markdown(self) -> str:
        return f"{tabulate(self._cells(), self._headings(), 'github', floatfmt='.4f')}\n\n{self._conventions('- ')}"

    def latex(self) -> str:
        """A booktabs table; the conventions stand above it as comments."""
        return (
            f"{self._conventions('% ')}{tabulate(self._cells(), self._headings(), 'latex_booktabs', floatfmt='.4f')}\n"
        )

    def csv(self) -> str:
        """One row a method and set, with the scores in full precision."""
        columns = ["set", "method", "pictures", "empty_masks", "ground_truth_threshold", *self.results]
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def json(self) -> str:
        return json.dumps({"conventions": self.conventions, "scores": self.rows}, indent=1, ensure_ascii=False) + "\n"

    def write(self, folder: str | os.PathLike) -> list[pathlib.Path]:
        """Writes scores.json, .csv, .md and .tex; returns the paths."""
        texts = {"json": self.json(), "csv": self.csv(), "md": self.markdown(), "tex": self.latex()}
        paths = [pathlib.Path(folder) / f"scores.{suffix}" for suffix in texts]
        for path, text in zip(paths, texts.values(), strict=True):
            with whole_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return paths

    def _headings(self):
        return ["set", "method", "pictures", *(HEADINGS[name] for name in self.results)]

    def _cells(self):
        return [[row[name] for name in ("set", "method", "pictures", *self.results)] for row in self.rows]

    def _conventions(self, bullet):
        return "".join(f"{bullet}{sentence}\n" for sentence in self.conventions)
