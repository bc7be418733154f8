import numpy as np
import py_sod_metrics
import pytest

from sodkeras.metrics import WeightedFMeasure


def assert_equal_to_pysodmetrics(pairs):
    ours, theirs = WeightedFMeasure(), py_sod_metrics.WeightedFmeasure()
    for saliency_map, mask in pairs:
        ours.update(saliency_map, mask)
        theirs.step(saliency_map / 255, mask > 127, normalize=False)
    assert ours.result() == pytest.approx({"weighted_f": theirs.get_results()["wfm"]}, abs=1e-6)


def test_equal_to_pysodmetrics_on_adversarial_pairs(adversarial_pair):
    assert_equal_to_pysodmetrics([adversarial_pair])


@pytest.mark.reference
def test_equal_to_pysodmetrics_on_real_masks(real_pairs):
    assert_equal_to_pysodmetrics(real_pairs)


@pytest.mark.parametrize("density", [0.001, 0.01, 0.05, 0.3, 0.9])
def test_equal_to_pysodmetrics_where_most_pixels_have_several_nearest_salient_ones(density):
    rng = np.random.default_rng(5)
    for height, width in ((1, 30), (30, 1), (7, 9), (40, 61)):
        mask = (rng.random((height, width)) < density) * np.uint8(255)
        assert_equal_to_pysodmetrics([(rng.integers(0, 256, mask.shape, dtype=np.uint8), mask)])
