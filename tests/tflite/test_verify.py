"""Agreement of a converted network with its source: what must pass and what must not."""

import dataclasses

import numpy as np
import pytest

from sodkeras import Preprocessing, SodkerasError
from sodkeras.tflite.verify import TOLERANCES, Tolerance, agreement, compare, mask_iou

RNG = np.random.default_rng(0)


def test_mask_iou_by_hand():
    first, second = np.float32([[0.9, 0.9, 0.1, 0.1]]), np.float32([[0.9, 0.1, 0.9, 0.1]])
    assert mask_iou(first, second) == 1 / 3
    assert mask_iou(np.zeros((2, 2)), np.zeros((2, 2))) == 1
    assert mask_iou(np.zeros((2, 2)), np.ones((2, 2))) == 0


def test_summary_names_the_worst_picture():
    expected = {name: np.full((4, 4), 0.5, np.float32) + RNG.random((4, 4), np.float32) / 4 for name in "abc"}
    received = {name: values.copy() for name, values in expected.items()}
    received["b"][0, 0] += 0.25
    found = agreement(expected, received)
    summary = found.summary()
    assert summary["largest"] == pytest.approx(0.25) and summary["worst_mae"] == pytest.approx(0.25 / 16)
    assert summary["median_mae"] == 0 and summary["worst_iou"] == 1
    assert found.violations(TOLERANCES["float32"]) == [
        "largest is 0.25 on b, the limit 0.0003",
        "worst_mae is 0.01562 on b, the limit 1e-05",
    ]
    assert found.violations(Tolerance()) == []


def test_iou_limits_are_least_values():
    expected, received = {"a": np.float32([[1, 1, 0]])}, {"a": np.float32([[1, 0, 0]])}
    assert agreement(expected, received).violations(Tolerance(worst_iou=0.5)) == []
    assert agreement(expected, received).violations(Tolerance(worst_iou=0.6)) == [
        "worst_iou is 0.5 on a, the limit 0.6"
    ]


def test_a_network_that_lost_its_weights_is_an_error_whatever_the_tolerance():
    expected = {name: RNG.random((4, 4), np.float32) for name in "ab"}
    with pytest.raises(SodkerasError, match="weights were lost"):
        agreement(expected, {name: np.full((4, 4), 0.5, np.float32) for name in "ab"})
    with pytest.raises(SodkerasError, match="no numbers"):
        agreement(expected, {name: np.full((4, 4), np.nan, np.float32) for name in "ab"})
    with pytest.raises(SodkerasError, match="at least one picture"):
        agreement({}, {})


def test_empty_maps_of_empty_pictures_are_no_lost_weights():
    nothing = {name: np.zeros((4, 4), np.float32) for name in "ab"}
    assert agreement(nothing, nothing).summary()["worst_iou"] == 1


@dataclasses.dataclass
class Runtime:
    preprocessing: Preprocessing

    def __call__(self, batch):
        return np.clip(batch.mean(-1), 0, 1)


def test_runtimes_with_other_preprocessing_are_not_compared():
    picture = RNG.integers(0, 256, (9, 9, 3), np.uint8)
    first, second = Runtime(Preprocessing((8, 8))), Runtime(Preprocessing((8, 9)))
    assert compare(first, first, [("a", picture)]).largest == [0]
    with pytest.raises(SodkerasError, match="differently"):
        compare(first, second, [("a", picture)])
