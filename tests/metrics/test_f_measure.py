import numpy as np
import py_sod_metrics
import pytest

from sodkeras import SodkerasError
from sodkeras.metrics import FMeasure


def f_measure(precision, recall, beta_squared=0.3):
    return (1 + beta_squared) * precision * recall / np.maximum(beta_squared * precision + recall, 1e-300)


def averaged_precision_recall(pairs, epsilon=1e-4):
    """The papers' convention, written down plainly: threshold every map 256 times, average P and R, then F."""
    precisions, recalls, adaptive = [], [], []
    for saliency_map, mask in pairs:
        salient = mask > 127
        precision, recall = np.zeros(256), np.zeros(256)
        for threshold in range(256):
            selected = saliency_map > threshold
            hits = np.count_nonzero(selected & salient)
            precision[threshold] = (hits + epsilon) / (np.count_nonzero(selected) + epsilon)
            recall[threshold] = (hits + epsilon) / (np.count_nonzero(salient) + epsilon)
        precisions.append(precision)
        recalls.append(recall)
        selected = saliency_map >= min(2 * saliency_map.mean(), 255)
        hits = np.count_nonzero(selected & salient)
        adaptive.append(f_measure(hits / max(selected.sum(), 1), hits / max(salient.sum(), 1)))
    precision, recall = np.mean(precisions, axis=0), np.mean(recalls, axis=0)
    return precision, recall, f_measure(precision, recall), np.mean(adaptive)


def assert_equal_to_plain_numpy(pairs):
    metric = FMeasure()
    for saliency_map, mask in pairs:
        metric.update(saliency_map, mask)
    precision, recall, f, adaptive_f = averaged_precision_recall(pairs)
    curves = metric.curves()
    np.testing.assert_allclose(curves["precision"], precision, atol=1e-9)
    np.testing.assert_allclose(curves["recall"], recall, atol=1e-9)
    np.testing.assert_allclose(curves["f"], f, atol=1e-9)
    expected = {"max_f": f.max(), "mean_f": f.mean(), "adaptive_f": adaptive_f}
    assert metric.result() == pytest.approx(expected, abs=1e-9)


def assert_equal_to_pysodmetrics(pairs):
    ours = FMeasure("per-image curves")
    handler = py_sod_metrics.FmeasureHandler(with_dynamic=True, with_adaptive=True, beta=0.3)
    theirs = py_sod_metrics.FmeasureV2({"f": handler})
    for saliency_map, mask in pairs:
        ours.update(saliency_map, mask)
        theirs.step(saliency_map / 255, mask > 127, normalize=False)
    expected = theirs.get_results()["f"]
    np.testing.assert_allclose(ours.curves()["f"], expected["dynamic"][::-1], atol=1e-9)
    assert ours.result() == pytest.approx(
        {
            "max_f_per_image": expected["dynamic"].max(),
            "mean_f_per_image": expected["dynamic"].mean(),
            "adaptive_f": expected["adaptive"],
        },
        abs=1e-9,
    )


def test_per_image_curves_equal_pysodmetrics_on_adversarial_pairs(adversarial_pair):
    assert_equal_to_pysodmetrics([adversarial_pair])


@pytest.mark.reference
def test_per_image_curves_equal_pysodmetrics_on_real_masks(real_pairs):
    assert_equal_to_pysodmetrics(real_pairs)


def test_averaged_precision_recall_equals_plain_numpy_on_adversarial_pairs(adversarial_pairs):
    assert_equal_to_plain_numpy(adversarial_pairs)


@pytest.mark.reference
def test_averaged_precision_recall_equals_plain_numpy_on_real_masks(real_pairs):
    assert_equal_to_plain_numpy(real_pairs)


def test_the_two_conventions_differ_on_the_same_maps(adversarial_pairs):
    averaged, per_image = FMeasure(), FMeasure("per-image curves")
    for saliency_map, mask in adversarial_pairs:
        averaged.update(saliency_map, mask)
        per_image.update(saliency_map, mask)
    assert abs(averaged.result()["max_f"] - per_image.result()["max_f_per_image"]) > 0.01


@pytest.mark.parametrize(
    ("convention", "name", "counted_f"),
    [
        ("averaged precision-recall", "max_f", 1.3 * 0.9 * 1 / (0.3 * 0.9 + 1)),  # P: nine 1 and a 0, R: ten 1
        ("per-image curves", "max_f_per_image", 0.9),
    ],
)
def test_an_empty_mask_lowers_the_result_unless_it_is_left_out(convention, name, counted_f):
    mask = np.eye(8, dtype=bool)
    counted, left_out = FMeasure(convention), FMeasure(convention, count_empty_masks=False)
    for metric in (counted, left_out):
        for _ in range(9):
            metric.update(mask, mask)
        metric.update(mask, np.zeros_like(mask))
    assert counted.result()[name] == pytest.approx(counted_f, abs=1e-4)
    assert left_out.result()[name] == pytest.approx(1)
    assert left_out.pictures == 9


def test_a_blank_map_has_no_f_measure_in_the_papers_convention():
    metric = FMeasure()
    metric.update(np.zeros((50, 50)), np.eye(50, dtype=bool))
    assert metric.result()["max_f"] < 1e-4
    assert metric.curves()["precision"].tolist() == [1] * 256


def test_an_unknown_convention_is_refused():
    with pytest.raises(SodkerasError, match=r"Received: 'mean'$"):
        FMeasure("mean")
