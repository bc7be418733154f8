"""What a run's networks score on its sets, as `sodkeras evaluate` would say it."""

#: What is computed: the field's usual four, see `sodkeras.metrics.METRICS`.
METRICS = ("mae", "f", "s", "e")


def evaluate(models, pairs, folder):
    """Scores models on sets of pairs at the pictures' own size, and writes scores.json, .csv, .md, .tex and curves.

    Args:
        models: paths of .keras files by the name that tables call them.
        pairs: lists of `sodkeras.data.Pair` by the name of the set.
        folder: where to.

    Returns:
        A `sodkeras.metrics.tables.ScoreTable`, and a list of (picture, error) for what could not be scored.

    Raises:
        SodkerasError: if a set has no picture that can be scored.
    """
    from tqdm import tqdm

    from sodkeras.metrics.plots import write_curves
    from sodkeras.metrics.scorer import score_model
    from sodkeras.metrics.tables import ScoreTable, conventions
    from sodkeras.predictor import Predictor

    rows, curves, failures = [], {}, {}
    total = len(models) * sum(map(len, pairs.values()))
    with tqdm(total=total, unit="picture", desc="scoring", disable=None) as bar:
        for method, path in models.items():
            predictor = Predictor(str(path))
            for name, of_set in pairs.items():
                files = [(pair.picture, pair.mask) for pair in of_set]
                evaluator, failed = score_model(predictor, files, {"metrics": METRICS}, bar.update)
                failures |= dict(failed)
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
    return table, sorted(failures.items())
