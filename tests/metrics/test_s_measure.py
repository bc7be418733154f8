import fractions

import numpy as np
import py_sod_metrics
import pytest

from sodkeras.metrics import SMeasure


def assert_equal_to_pysodmetrics(pairs):
    ours, theirs = SMeasure(), py_sod_metrics.Smeasure()
    for saliency_map, mask in pairs:
        ours.update(saliency_map, mask)
        theirs.step(saliency_map / 255, mask > 127, normalize=False)
    assert ours.result() == pytest.approx({"s": theirs.get_results()["sm"]}, abs=1e-9)


def test_equal_to_pysodmetrics_on_adversarial_pairs(adversarial_pair):
    assert_equal_to_pysodmetrics([adversarial_pair])


@pytest.mark.reference
def test_equal_to_pysodmetrics_on_real_masks(real_pairs):
    assert_equal_to_pysodmetrics(real_pairs)


def test_an_object_on_the_last_column_has_a_score():
    """PySODMetrics returns NaN here: half of the picture's four parts have no pixel."""
    mask = np.zeros((6, 8), bool)
    mask[2:5, 7] = True
    metric = SMeasure()
    metric.update(mask, mask)
    assert metric.result() == pytest.approx({"s": 1})


@pytest.mark.parametrize("level", [1, 77, 128, 200])
def test_a_constant_map_is_constant_whatever_its_level(level):
    """In floating point some constants have a variance; a part of the background then scores 0 instead of 1."""
    mask = np.zeros((30, 40), bool)
    mask[4:8, 5:9] = True
    metric = SMeasure()
    metric.update(np.full(mask.shape, level, np.uint8), mask)
    x = fractions.Fraction(level, 255)
    share = fractions.Fraction(16, 1200)
    object_score = share * 2 * x / (x**2 + 1) + (1 - share) * 2 * (1 - x) / ((1 - x) ** 2 + 1)
    # The centroid is (5.5, 6.5), rounded half to even (6, 6), so the parts meet after row 6 and column 6. All four hold
    # salient pixels; a constant map has no covariance with them.
    assert metric.result() == pytest.approx({"s": float(object_score) / 2})
    mask[4:8, 5:9] = False
    mask[:15, :20] = True
    metric = SMeasure()
    metric.update(np.full(mask.shape, level, np.uint8), mask)
    object_score = (2 * x / (x**2 + 1) + 3 * 2 * (1 - x) / ((1 - x) ** 2 + 1)) / 4
    # Now they meet after row 7 and column 10: the first part is all object, the others are mixed.
    assert metric.result() == pytest.approx({"s": float(object_score) / 2 + 8 * 11 / 1200 / 2})
