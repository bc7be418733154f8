import pickle
import subprocess
import sys

import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.metrics import METRICS, Evaluator


def test_every_metric_scores_as_it_does_alone(adversarial_pairs):
    together = Evaluator(ground_truth_threshold=0.25)
    alone = {name: metric(ground_truth_threshold=0.25) for name, metric in METRICS.items()}
    for pair in adversarial_pairs:
        together.update(*pair)
        for metric in alone.values():
            metric.update(*pair)
    expected = {name: value for metric in alone.values() for name, value in metric.result().items()}
    assert together.result() == expected
    for metric in alone.values():
        assert metric.result().items() <= expected.items()
    assert set(together.curves()) == {"f", "f_per_image", "e"}
    assert set(together.conventions()) == set(METRICS)


def test_evaluators_merge_to_the_same_bits(adversarial_pairs):
    whole, parts = Evaluator(), [Evaluator(), Evaluator()]
    for index, pair in enumerate(adversarial_pairs):
        whole.update(*pair)
        parts[index % 2].update(*pair)
    merged = parts[1].merge(pickle.loads(pickle.dumps(parts[0])))
    assert merged.result() == whole.result()
    assert (merged.pictures, merged.empty_masks) == (whole.pictures, whole.empty_masks) == (len(adversarial_pairs), 3)


def test_empty_masks_are_left_out_of_every_metric(adversarial_pairs):
    salient = [(saliency_map, mask) for saliency_map, mask in adversarial_pairs if mask.max() > 127]
    without, only = Evaluator(count_empty_masks=False), Evaluator()
    for pair in adversarial_pairs:
        without.update(*pair)
    for pair in salient:
        only.update(*pair)
    assert without.result() == only.result()
    assert without.empty_masks == 3


def test_a_refused_pair_changes_nothing():
    evaluator = Evaluator()
    evaluator.update(np.ones((4, 4)), np.eye(4, dtype=bool))
    before = evaluator.result()
    with pytest.raises(SodkerasError, match=r"Received: map \(4, 5\), ground truth \(4, 4\)$"):
        evaluator.update(np.ones((4, 5)), np.eye(4, dtype=bool))
    assert evaluator.result() == before
    assert evaluator.pictures == 1


def test_wrong_names_and_partners_are_refused():
    with pytest.raises(SodkerasError, match=r"Received: iou$"):
        Evaluator(["mae", "iou"])
    with pytest.raises(SodkerasError, match=r"Received: none$"):
        Evaluator([])
    with pytest.raises(SodkerasError, match=r"Received: \['mae'\]$"):
        Evaluator(["mae", "f"]).merge(Evaluator(["mae"]))
    with pytest.raises(SodkerasError, match=r"ground_truth_threshold=0.25"):
        Evaluator(["mae"]).merge(Evaluator(["mae"], ground_truth_threshold=0.25))


def test_no_network_library_is_needed_to_score_maps():
    code = "import sys, sodkeras.metrics; print(sorted({'keras', 'tensorflow', 'scipy', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def scored(pairs, **settings):
    evaluator = Evaluator(["mae", "f"], **settings)
    for saliency_map, mask in pairs:
        evaluator.update(saliency_map, mask)
    return evaluator


def test_scores_that_mean_nothing_are_told():
    """An inverted map of an empty mask scores as a perfect one does."""
    black, white = np.zeros((6, 8), np.uint8), np.full((6, 8), 255, np.uint8)
    disc = black.copy()
    disc[2:4, 2:5] = 255
    for mask, name in ((black, "empty"), (white, "full")):
        evaluator = scored([(disc, mask), (black, mask)])
        with pytest.raises(SodkerasError, match=rf"Received: 2 masks, all {name} at the threshold 0\.5$"):
            evaluator.check_masks()
        evaluator.merge(scored([(disc, disc)])).check_masks()
    scored([(disc, black), (disc, white)]).check_masks()
    with pytest.raises(SodkerasError, match=r"all empty at the threshold 0\.9"):
        scored([(disc, disc * np.float32(0.5 / 255))], ground_truth_threshold=0.9).check_masks()
    with pytest.raises(SodkerasError, match=r"not as 0 and 1\. Received: 2 maps without a level above 1"):
        scored([(black, disc), (disc // 255, disc)]).check_maps()
    scored([(black, disc), (disc // 100, disc)]).check_maps()
    for check in (Evaluator().check_masks, Evaluator().check_maps):
        check()
