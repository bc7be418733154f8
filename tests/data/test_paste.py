"""Pasting: the object arrives whole, its mask exactly with it, and nothing else changes."""

import dataclasses

import numpy as np
import pytest

from sodkeras import Preprocessing, SodkerasError
from sodkeras.data import Augmentation, find_pairs
from sodkeras.data.batches import Batches
from sodkeras.data.paste import paste
from sodkeras.data.samples import PairFiles

GREY, RED = np.full((60, 80, 3), 90, np.uint8), np.zeros((40, 50, 3), np.uint8)
RED[..., 0] = 250


def _disc(height, width, radius):
    rows, columns = np.ogrid[:height, :width]
    return np.uint8(((rows - height // 2) ** 2 + (columns - width // 2) ** 2 < radius**2) * 255)


def test_picture_and_mask_change_in_the_same_place():
    mask = np.zeros((60, 80), np.uint8)
    areas = []
    for seed in range(20):
        picture, pasted = paste(GREY, mask, RED, _disc(40, 50, 12), np.random.default_rng(seed))
        np.testing.assert_allclose(picture[pasted == 255], [[250, 0, 0]] * (pasted == 255).sum(), atol=1)
        np.testing.assert_array_equal(picture[pasted == 0], GREY[pasted == 0])
        areas.append((pasted > 127).mean())
    # A disc whose diameter is .3 to .9 of the shorter side.
    assert 0.04 < min(areas) < 0.12 and 0.3 < max(areas) < 0.55
    assert not mask.any() and (GREY == 90).all()  # what was given is left alone


def test_the_pictures_own_object_stays_where_it_is_not_covered():
    own = np.full((60, 80), 255, np.uint8)
    soft = np.uint8(_disc(40, 50, 12) * 0.5)
    _, mask = paste(GREY, own, RED, np.maximum(soft, _disc(40, 50, 11)), np.random.default_rng(1))
    assert mask.min() >= 254  # no dark seam around what was pasted


@pytest.mark.parametrize("radius", [1, 60])
def test_fragments_and_backgrounds_are_not_pasted(radius):
    picture, mask = paste(GREY, GREY[..., 0], RED, _disc(40, 50, radius), np.random.default_rng(0))
    assert picture is GREY and (mask == 90).all()


def test_batches_paste_in_a_share_of_the_cases_and_only_what_is_sure(tmp_path, make_set):
    pairs = find_pairs([make_set(tmp_path / "pond", 8)])
    samples, small = PairFiles(pairs), Preprocessing((32, 48))
    plain = Batches(samples, small, 8, Augmentation.none())
    pasted = Batches(samples, small, 8, dataclasses.replace(Augmentation.none(), paste=0.5))
    changed = sum(
        not np.array_equal(*both) for step in range(8) for both in zip(plain(step)[1], pasted(step)[1], strict=True)
    )
    assert 16 < changed < 48
    unsure = PairFiles([dataclasses.replace(pair, weight=0.1) for pair in pairs])
    with pytest.raises(SodkerasError, match="Nothing can be pasted"):
        Batches(unsure, small, 8, Augmentation(paste=0.5))
