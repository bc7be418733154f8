import numpy as np
import py_sod_metrics
import pytest

from sodkeras.metrics import MeanAbsoluteError


def assert_equal_to_pysodmetrics(pairs):
    ours, theirs = MeanAbsoluteError(), py_sod_metrics.MAE()
    for saliency_map, mask in pairs:
        ours.update(saliency_map, mask)
        theirs.step(saliency_map / 255, mask > 127, normalize=False)
    assert ours.result() == pytest.approx({"mae": theirs.get_results()["mae"]}, abs=1e-9)


def test_equal_to_pysodmetrics_on_adversarial_pairs(adversarial_pair):
    assert_equal_to_pysodmetrics([adversarial_pair])


@pytest.mark.reference
def test_equal_to_pysodmetrics_on_real_masks(real_pairs):
    assert_equal_to_pysodmetrics(real_pairs)


def test_by_hand():
    metric = MeanAbsoluteError()
    metric.update(np.array([[1.0, 0.0]]), np.array([[True, True]]))
    metric.update(np.zeros((2, 2)), np.zeros((2, 2), bool))
    assert metric.result() == {"mae": 0.25}
