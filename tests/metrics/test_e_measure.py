import numpy as np
import py_sod_metrics
import pytest

from sodkeras.metrics import EMeasure


def assert_equal_to_pysodmetrics(pairs):
    ours, theirs = EMeasure(), py_sod_metrics.Emeasure()
    for saliency_map, mask in pairs:
        ours.update(saliency_map, mask)
        theirs.step(saliency_map / 255, mask > 127, normalize=False)
    expected = theirs.get_results()["em"]
    np.testing.assert_allclose(ours.curves()["e"], expected["curve"][::-1], atol=1e-9)
    assert ours.result() == pytest.approx(
        {"max_e": expected["curve"].max(), "mean_e": expected["curve"].mean(), "adaptive_e": expected["adp"]}, abs=1e-9
    )


def test_equal_to_pysodmetrics_on_adversarial_pairs(adversarial_pair):
    assert_equal_to_pysodmetrics([adversarial_pair])


@pytest.mark.reference
def test_equal_to_pysodmetrics_on_real_masks(real_pairs):
    assert_equal_to_pysodmetrics(real_pairs)


def test_a_picture_of_one_pixel_has_a_finite_score():
    """Divided by W·H − 1 + ε it would be 4.5e15."""
    metric = EMeasure()
    metric.update(np.ones((1, 1)), np.ones((1, 1), bool))
    assert metric.result() == {"max_e": 1, "mean_e": 1, "adaptive_e": 1}
