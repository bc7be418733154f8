"""What networks score on sets of pairs, as `sodkeras evaluate` says it."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from sodkeras.data.pairs import Pair
from sodkeras.data.samples import read_mask_of
from sodkeras.errors import SodkerasError
from sodkeras.metrics.plots import write_curves
from sodkeras.metrics.scorer import score_model
from sodkeras.metrics.tables import ScoreTable, conventions
from sodkeras.predictor import Predictor
from sodkeras.progress import progress_bar

#: What is computed: the field's usual four, see `sodkeras.metrics.METRICS`.
METRICS = ("mae", "f", "s", "e")


def evaluate(
    models: Mapping[str, Any], pairs: Mapping[str, Sequence[Pair]], folder: str | os.PathLike
) -> tuple[ScoreTable, list[tuple[Any, Any]]]:
    """Scores models on sets of pairs at the pictures' own size, and writes scores.json, .csv, .md, .tex and curves.

    Args:
        models: by the name that tables call it, what `Predictor` takes: a preset's name, the path of a .keras or
            .tflite file, or a model.
        pairs: lists of `sodkeras.data.Pair` by the name of the set; those that weigh nothing are left out.
        folder: where to.

    Returns:
        A `sodkeras.metrics.tables.ScoreTable`, and a list of (picture or set, error) for what could not be scored: a
        picture that cannot be read, a mask that is refused, a set whose masks are all empty or all full.

    Raises:
        SodkerasError: without a model or a set, or if a set has no picture that can be read.
    """
    if not models or not pairs:
        raise SodkerasError(
            f"Name at least one model and one set to score it on. Received: models {list(models)}, sets {list(pairs)}"
        )
    folder = pathlib.Path(folder)
    rows: list[dict] = []
    curves: dict[str, dict] = {}
    failures: dict[Any, SodkerasError | str] = {}
    total = len(models) * sum(map(len, pairs.values()))
    with progress_bar(total=total, unit="picture", purpose="scoring", disable=None) as bar:
        for method, model in models.items():
            predictor = Predictor(model)
            for name, of_set in pairs.items():
                # A teacher that found nothing left a mask that says nothing.
                of_set = [pair for pair in of_set if pair.weight] or of_set
                files = [(pair.picture, pair.mask) for pair in of_set]
                by_mask = {pair.mask: pair for pair in of_set}

                def read(path, by_mask=by_mask):
                    return read_mask_of(by_mask[path])

                evaluator, failed = score_model(predictor, files, {"metrics": METRICS}, bar.update, read=read)
                failures |= dict(failed)
                try:
                    evaluator.check_masks()
                except SodkerasError as error:
                    failures[name] = error
                    continue
                rows.append(
                    {
                        "set": name,
                        "method": method,
                        "pictures": evaluator.pictures,
                        "empty_masks": evaluator.empty_masks,
                        "ground_truth_threshold": evaluator.ground_truth_threshold,
                    }
                    | evaluator.result()
                )
                curves.setdefault(name, {})[method] = evaluator.curves()
    rows.sort(key=lambda row: list(pairs).index(row["set"]))  # a table compares methods within a set
    table = ScoreTable(rows, conventions(rows, evaluator))
    table.write(folder)
    write_curves(folder, curves)
    return table, sorted(failures.items(), key=lambda failure: str(failure[0]))
