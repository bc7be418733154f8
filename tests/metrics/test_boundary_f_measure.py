import numpy as np
import pytest

from sodkeras.metrics import RelaxedBoundaryFMeasure


def plain_boundary_f(saliency_map, mask, radius=3, beta_squared=0.3):
    """The definition with loops over all pairs of boundary pixels."""

    def boundary(binary):
        padded = np.pad(binary, 1, constant_values=True)
        eroded = np.ones_like(binary)
        for row in range(3):
            for column in range(3):
                eroded &= padded[row : row + binary.shape[0], column : column + binary.shape[1]]
        return np.argwhere(binary & ~eroded)

    found, wanted = boundary(saliency_map > 127), boundary(mask > 127)
    if not len(found) or not len(wanted):
        return float(len(found) == len(wanted))
    near = ((found[:, None] - wanted[None]) ** 2).sum(axis=2) <= radius**2
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return (1 + beta_squared) * precision * recall / max(beta_squared * precision + recall, 1e-300)


def test_equal_to_the_definition_on_adversarial_pairs(adversarial_pair):
    metric = RelaxedBoundaryFMeasure()
    metric.update(*adversarial_pair)
    assert metric.result() == pytest.approx({"boundary_f": plain_boundary_f(*adversarial_pair)}, abs=1e-9)


@pytest.mark.reference
def test_equal_to_the_definition_on_real_masks(real_pairs):
    metric = RelaxedBoundaryFMeasure()
    for pair in real_pairs:
        metric.update(*pair)
    expected = np.mean([plain_boundary_f(*pair) for pair in real_pairs])
    assert metric.result() == pytest.approx({"boundary_f": expected}, abs=1e-9)


@pytest.mark.parametrize(("shift", "radius", "expected"), [(3, 3, 1), (4, 3, 0), (4, 4, 1)])
def test_a_straight_boundary_moved_by_at_most_the_radius_is_found(shift, radius, expected):
    mask, moved = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    mask[:, :10] = True
    moved[:, : 10 + shift] = True
    metric = RelaxedBoundaryFMeasure(radius)
    metric.update(moved, mask)
    assert metric.result() == {"boundary_f": pytest.approx(expected)}
