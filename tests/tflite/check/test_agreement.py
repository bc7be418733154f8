"""Agreement of a converted network with its source: what must pass and what must not."""

import dataclasses

import cv2
import numpy as np
import pytest

from sodkeras import Preprocessing, SodkerasError
from sodkeras.tflite.check.agreement import TOLERANCES, Tolerance, agreement, compare, mask_iou
from sodkeras.tflite.check.census import Census
from sodkeras.tflite.check.ground_truth import GroundTruthScores, violations
from sodkeras.tflite.check.partitions import Partitions

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
        "largest is 0.25 on b, the limit 0.0001",
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
    numerics: str = "float32"
    offset: float = 0.0
    steepness: float = 1.0

    def __call__(self, batch):
        return np.abs(np.sin(self.steepness * batch.mean(-1))) + np.float32(self.offset)


def test_one_map_for_every_picture_is_an_error_though_it_varies_within():
    expected = {name: RNG.random((4, 4), np.float32) for name in "ab"}
    with pytest.raises(SodkerasError, match="the same map whatever the picture"):
        agreement(expected, dict.fromkeys("ab", expected["a"]))
    assert agreement({"a": expected["a"]}, {"a": expected["a"]}).names == ["a"]  # of one picture nobody can tell


def test_float_may_differ_by_more_than_the_limit_only_where_the_source_is_that_noisy():
    picture = RNG.integers(0, 256, (8, 8, 3), np.uint8)
    plain = Preprocessing((8, 8), mean=(0, 0, 0), standard_deviation=(1, 1, 1))
    calm, steep = Runtime(plain), Runtime(plain, steepness=4000.0)
    for source, problems in ((calm, 1), (steep, 0)):
        found = compare(source, dataclasses.replace(source, offset=2e-4), [("a", picture)])
        assert len(found.violations(Tolerance(largest=1e-4))) == problems, (found.largest, found.rounding)
        at, limit = found.largest_limit(1e-4)
        assert at == 0 and (limit > found.largest[0] > 1e-4) == (not problems)


def test_ground_truth_scores_the_source_and_the_file(tmp_path):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 255
    cv2.imwrite(str(tmp_path / "a.png"), mask)
    scores = GroundTruthScores({"a": tmp_path / "a.png"}, Preprocessing((4, 4)))
    picture, right = np.zeros((8, 8, 3), np.uint8), cv2.resize(mask, (4, 4)) / np.float32(255)
    assert scores.result() is None
    scores.update("b", picture, right, right)  # has no mask
    scores.update("a", picture, right, 1 - right)
    found = scores.result()
    assert found["pictures"] == 1 and found["max_f_loss"] > 0.5 and found["mae_rise"] > 0.5
    assert found["source"]["max_f"] - found["file"]["max_f"] == found["max_f_loss"]
    assert len(violations(found, Tolerance())) == 2
    assert violations(found, Tolerance(max_f_loss=1.0, mae_rise=1.0)) == []


def test_a_census_names_what_a_phone_would_not_run_fast():
    def problems(outside=None, partitions=1, **operators):
        count = sum(operators.values())
        found = Partitions(count, count - sum((outside or {}).values()), partitions, outside or {})
        return Census(operators, found).problems()

    assert problems(CONV_2D=2) == []
    assert problems({"QUANTIZE": 2}, CONV_2D=2, QUANTIZE=2) == []  # the ends of a file with an unsigned interface
    assert "FlexErf" in problems(FlexErf=1, CONV_2D=1)[0]
    assert "BATCH_TO_SPACE_ND, SPACE_TO_BATCH_ND" in problems(SPACE_TO_BATCH_ND=1, BATCH_TO_SPACE_ND=1)[0]
    assert "outside: 1 PRELU" in problems({"PRELU": 1}, partitions=2, CONV_2D=2, PRELU=1)[0]
    assert Census({"CONV_2D": 1}, Partitions(1, 0, 0, {"CONV_2D": 1})).problems(delegated=False) == []


def test_runtimes_with_other_preprocessing_are_not_compared():
    picture = RNG.integers(0, 256, (9, 9, 3), np.uint8)
    first, second = Runtime(Preprocessing((8, 8))), Runtime(Preprocessing((8, 9)))
    assert compare(first, first, [("a", picture)]).largest == [0]
    with pytest.raises(SodkerasError, match="differently"):
        compare(first, second, [("a", picture)])
