import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.metrics import ScoredMap

MAP = np.zeros((4, 6), np.uint8)
MASK = np.eye(4, 6, dtype=bool)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_8_bit_file_divided_by_255_comes_back_unchanged(dtype):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pair = ScoredMap(levels.astype(dtype) / dtype(255), np.zeros((16, 16), bool))
    np.testing.assert_array_equal(pair.levels, levels)


def test_float_maps_are_truncated_to_8_bit_and_not_stretched():
    pair = ScoredMap(np.float32([[0.0, 0.0039, 0.0040, 0.9999, 0.5, 0.25]]), np.zeros((1, 6), bool))
    np.testing.assert_array_equal(pair.levels, [[0, 0, 1, 254, 127, 63]])


def test_the_ground_truth_threshold_is_exclusive_in_every_kind_of_array():
    graded = np.uint8([[0, 127, 128, 129, 255]])
    for ground_truth in (graded, graded / 255):
        np.testing.assert_array_equal(ScoredMap(graded, ground_truth, 0.5).mask, [[0, 0, 1, 1, 1]])
    np.testing.assert_array_equal(ScoredMap(graded, graded, 128 / 255).mask, [[0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(ScoredMap(graded, graded, 0).mask, [[0, 1, 1, 1, 1]])


def test_counts_and_adaptive_level_by_hand():
    pair = ScoredMap(np.uint8([[0, 10, 10], [50, 255, 255]]), np.array([[0, 0, 1], [1, 1, 0]], bool))
    assert pair.counts[0, [0, 10, 255]].tolist() == [1, 1, 1]
    assert pair.counts[1, [10, 50, 255]].tolist() == [1, 1, 1]
    assert pair.counts.sum() == 6
    assert pair.counts_from[:, [0, 11, 51, 255]].tolist() == [[3, 1, 1, 1], [3, 2, 1, 1]]
    assert pair.adaptive_level == 194  # 2 · 580 / 6 = 193.3


@pytest.mark.parametrize("level", [1, 49, 98, 100, 127])
def test_an_adaptive_threshold_equal_to_a_level_selects_it(level):
    """Half of the pixels at one level: twice the mean is that level, which a rounded mean may miss."""
    levels = np.zeros((7, 6), np.uint8)
    levels[:, :3] = level
    assert ScoredMap(levels, levels > 0).adaptive_level == level


@pytest.mark.parametrize(
    ("saliency_map", "ground_truth", "received"),
    [
        (np.zeros((4, 5)), MASK, r"map \(4, 5\), ground truth \(4, 6\)"),
        (np.zeros((4, 6, 1)), MASK, r"shape \(4, 6, 1\)"),
        (MAP, np.zeros((4, 6, 3), np.uint8), r"shape \(4, 6, 3\)"),
        (np.zeros((0, 6)), np.zeros((0, 6)), r"shape \(0, 6\)"),
        (np.full((4, 6), np.nan), MASK, "from nan to nan"),
        (np.full((4, 6), 1.5), MASK, "from 1.5 to 1.5"),
        (np.full((4, 6), -0.5), MASK, "from -0.5 to -0.5"),
        (np.full((4, 6), np.inf), MASK, "from inf to inf"),
        (MAP.astype(np.int32), MASK, "int32"),
        (MAP, MASK.astype(np.uint8), "uint8 with the largest value 1"),
        (MAP, np.full((4, 6), np.nan), "from nan to nan"),
    ],
)
def test_what_is_not_a_map_with_its_mask_is_refused_in_one_sentence(saliency_map, ground_truth, received):
    with pytest.raises(SodkerasError, match=rf"\. Received: .*{received}$"):
        ScoredMap(saliency_map, ground_truth)


@pytest.mark.parametrize("threshold", [-0.1, 1, float("nan")])
def test_a_threshold_that_no_pixel_or_every_pixel_passes_is_refused(threshold):
    with pytest.raises(SodkerasError, match=rf"Received: {threshold}$"):
        ScoredMap(MAP, MAP, threshold)
