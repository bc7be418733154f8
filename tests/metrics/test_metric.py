import pickle
import random

import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.metrics import (
    EMeasure,
    FMeasure,
    MeanAbsoluteError,
    RelaxedBoundaryFMeasure,
    SMeasure,
    WeightedFMeasure,
)

METRICS = [MeanAbsoluteError, FMeasure, SMeasure, EMeasure, WeightedFMeasure, RelaxedBoundaryFMeasure]


def fed(metric_class, pairs):
    metric = metric_class()
    for pair in pairs:
        metric.update(*pair)
    return metric


@pytest.mark.parametrize("metric_class", METRICS)
def test_the_order_and_the_split_among_processes_change_no_bit(metric_class, adversarial_pairs):
    expected = fed(metric_class, adversarial_pairs)
    shuffled = random.Random(3).sample(adversarial_pairs, len(adversarial_pairs))
    assert fed(metric_class, shuffled).result() == expected.result()
    # What a worker sends home is a pickle; the last one had nothing to do.
    parts = [shuffled[:3], shuffled[3:4], shuffled[4:], []]
    parts = [pickle.loads(pickle.dumps(fed(metric_class, part))) for part in parts]
    merged = parts[0].merge(parts[1]).merge(parts[3]).merge(parts[2])
    assert merged.result() == expected.result()
    assert merged.pictures == len(adversarial_pairs)
    for name, curve in expected.curves().items():
        np.testing.assert_array_equal(merged.curves()[name], curve)


@pytest.mark.parametrize("metric_class", METRICS)
def test_memory_does_not_grow_with_the_set(metric_class, adversarial_pairs):
    small, large = fed(metric_class, adversarial_pairs), fed(metric_class, adversarial_pairs * 5)
    assert len(pickle.dumps(large)) <= len(pickle.dumps(small)) + 64


@pytest.mark.parametrize("metric_class", METRICS)
def test_no_picture_is_an_error_and_not_a_zero(metric_class):
    with pytest.raises(SodkerasError, match=r"Received: 0 pictures$"):
        metric_class().result()
    left_out = metric_class(count_empty_masks=False)
    left_out.update(np.zeros((3, 3)), np.zeros((3, 3), bool))
    with pytest.raises(SodkerasError, match=r"Received: 0 pictures$"):
        left_out.result()


def test_only_the_same_metric_and_settings_merge():
    with pytest.raises(SodkerasError, match=r"Received: FMeasure\(.*beta_squared=0.3\)$"):
        FMeasure(beta_squared=1).merge(FMeasure())
    with pytest.raises(SodkerasError, match=r"Received: MeanAbsoluteError\("):
        FMeasure().merge(MeanAbsoluteError())
    with pytest.raises(SodkerasError, match=r"Received: 3$"):
        FMeasure().merge(3)
