"""Pictures and masks stay together, amounts stay in their ranges, and nothing is changed that was not asked for."""

import json

import cv2
import numpy as np
import pytest

from helpers import photo
from sodkeras import Preprocessing, SodkerasError
from sodkeras.data import Augmentation
from sodkeras.data.augmentation import resize_picture

# What comes out is the picture's values in [0, 1], and a mean colour of black.
PLAIN = {"mean": (0, 0, 0), "standard_deviation": (1, 1, 1)}
SMALL = Preprocessing((40, 56), **PLAIN)
CSNET = Augmentation(left_right=0.25, up_down=0.25, one_flip=True, border_crop=15)
COLOURS = ("brightness", "contrast", "saturation", "hue", "noise", "blur")
AMOUNTS = dict(zip(COLOURS, (0.3, 0.5, 0.9, 60.0, 20.0, 2.0), strict=True))


def draws(augmentation, picture, mask, preprocessing=SMALL, count=300, **arguments):
    for seed in range(count):
        yield augmentation(picture, mask, preprocessing, np.random.default_rng(seed), **arguments)


def coordinates(height, width):
    """A picture whose red is the row and green the column, and any mask."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return np.dstack([rows, columns, np.zeros_like(rows)]), rows


def corners(x):
    """The first and last row and column that a result of `coordinates` shows."""
    x = np.rint(255 * x).astype(int)
    return x[0, 0, 0], x[-1, -1, 0], x[0, 0, 1], x[-1, -1, 1]


@pytest.mark.parametrize("divisor", ["255", "maximum"])
@pytest.mark.parametrize("interpolation", ["bilinear", "area"])
@pytest.mark.parametrize("size", [(40, 56), (60, 80), (91, 70)])
def test_without_augmentation_the_input_is_what_the_predictor_gives(size, interpolation, divisor):
    preprocessing = Preprocessing(size, interpolation=interpolation, divisor=divisor)
    picture = photo() // 2
    mask = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    x, y = Augmentation.none()(picture, mask, preprocessing, np.random.default_rng(0))
    np.testing.assert_array_equal(x, preprocessing(picture)[0])
    assert x.dtype == y.dtype == np.float32 and y.shape == (*size, 1)
    np.testing.assert_array_equal(y[..., 0], cv2.resize(mask, size[::-1]) * np.float32(1 / 255))
    # The way that crop_to and colours take changes nothing either.
    again, _ = Augmentation(left_right=0, crop_to=size)(picture, mask, preprocessing, np.random.default_rng(0))
    np.testing.assert_array_equal(again, x)


@pytest.mark.parametrize(
    "augmentation",
    [
        CSNET,
        Augmentation(left_right=0.5, up_down=0.5),
        Augmentation(crop_share=0.5),
        Augmentation(crop_to=(30, 31)),
        Augmentation(scale=(0.5, 2)),
        Augmentation(0.5, 0.5, border_crop=15, crop_share=0.3, crop_to=(20, 20), scale=(0.7, 1.4)),
    ],
)
@pytest.mark.parametrize("masks", ["soft", "nearest"])
def test_the_mask_goes_wherever_the_picture_goes(augmentation, masks):
    mask = np.zeros((70, 90), np.uint8)
    cv2.ellipse(mask, (35, 30), (25, 12), 30, 0, 360, 255, -1)  # alike in no two directions
    picture = np.dstack([mask, mask, mask])
    different = 0
    plain, _ = Augmentation.none()(picture, mask, SMALL, np.random.default_rng(0))
    for x, y in draws(augmentation, picture, mask, count=40, masks=masks):
        assert x.shape == (*augmentation.size(SMALL), 3) and y.shape == (*augmentation.size(SMALL), 1)
        assert set(np.unique(y)) <= {0, 1} or masks == "soft"
        # Resized in another way the edges differ, but only they.
        assert np.abs(x[..., :1] - y).max() <= (0.01 if masks == "soft" else 1)
        assert np.abs(x[..., :1] - y).mean() <= (0.01 if masks == "soft" else 0.05)
        different += x.shape != plain.shape or not np.array_equal(x, plain)
    assert different > 10


def flips_of(augmentation, count=1500):
    """How often a picture comes out as it is, left-right, up-down, and both."""
    picture, mask = coordinates(4, 4)
    kinds = {(0, 3, 0, 3): 0, (0, 3, 3, 0): 1, (3, 0, 0, 3): 2, (3, 0, 3, 0): 3}
    shares = np.zeros(4)
    for x, _ in draws(augmentation, picture, mask, Preprocessing((4, 4), **PLAIN), count):
        shares[kinds[corners(x)]] += 1 / count
    return shares


@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({}, (0.5, 0.5, 0, 0)),
        ({"left_right": 0}, (1, 0, 0, 0)),
        ({"left_right": 0.5, "up_down": 0.5}, (0.25, 0.25, 0.25, 0.25)),
        ({"left_right": 0.25, "up_down": 0.25, "one_flip": True}, (0.5, 0.25, 0.25, 0)),
        ({"left_right": 1, "up_down": 1}, (0, 0, 0, 1)),
    ],
)
def test_flips_are_as_frequent_as_they_should_be(settings, shares):
    np.testing.assert_allclose(flips_of(Augmentation(**settings)), shares, atol=0.05 * (max(shares) < 1))


def test_csnets_border_crop_cuts_0_to_14_off_top_and_left_and_1_to_15_off_bottom_and_right():
    picture, mask = coordinates(120, 200)
    large = Preprocessing((240, 400), **PLAIN)  # larger: a corner shows one pixel of the picture
    seen = np.array([corners(x) for x, _ in draws(Augmentation(0, border_crop=15), picture, mask, large, 150)])
    assert seen.min(axis=0).tolist() == [0, 104, 0, 184]
    assert seen.max(axis=0).tolist() == [14, 118, 14, 198]


def test_cropping_leaves_something_of_the_smallest_picture():
    everything = Augmentation(0.5, 0.5, border_crop=15, crop_share=0.9, scale=(0.1, 10), **AMOUNTS)
    for size in ((1, 1), (1, 300), (3, 2)):
        for x, y in draws(everything, *coordinates(*size), count=20):
            assert x.shape == (40, 56, 3) and y.shape == (40, 56, 1) and np.isfinite(x).all()


def test_crop_share_is_the_most_that_is_cut_off():
    picture, mask = coordinates(160, 240)
    large = Preprocessing((320, 480), **PLAIN)
    seen = np.array([corners(x) for x, _ in draws(Augmentation(0, crop_share=0.125), picture, mask, large, 150)])
    top, bottom, left, right = seen.T
    rows, columns = bottom - top + 1, right - left + 1
    assert 140 <= rows.min() <= 142 and rows.max() >= 158 and 210 <= columns.min() <= 213 and columns.max() >= 237
    assert top.min() == left.min() == 0 and top.max() >= 16 and left.max() >= 24
    assert bottom.max() == 159 and right.max() == 239


def test_crop_to_cuts_a_window_out_of_the_resized_picture():
    whole = resize_picture(photo(), SMALL)
    windows = set()
    for x, _ in draws(Augmentation(0, crop_to=(36, 48)), photo(), np.zeros((60, 80), np.uint8), count=200):
        pixels = np.rint(255 * x).astype(np.uint8)
        found = cv2.matchTemplate(whole, pixels, cv2.TM_SQDIFF)
        top, left = np.unravel_index(found.argmin(), found.shape)
        np.testing.assert_array_equal(pixels, whole[top : top + 36, left : left + 48])
        windows.add((int(top), int(left)))
    assert {top for top, _ in windows} == set(range(5)) and {left for _, left in windows} == set(range(9))


@pytest.mark.parametrize(("factor", "share"), [(0.5, 0.25), (2.0, 4.0)])
def test_scale_makes_things_larger_or_smaller(factor, share):
    mask = np.zeros((80, 112), np.uint8)
    mask[36:44, 50:62] = 255
    areas = [y.sum() for _, y in draws(Augmentation(0, scale=(factor, factor)), np.dstack([mask] * 3), mask)]
    assert max(areas) == pytest.approx(share * mask.sum() / 255 / 4, rel=0.05)


def test_around_a_smaller_picture_there_is_the_mean_colour():
    preprocessing = Preprocessing((40, 56))
    x, y = Augmentation(0, scale=(0.25, 0.25))(
        np.full((40, 56, 3), 255, np.uint8), np.full((40, 56), 255, np.uint8), preprocessing, np.random.default_rng(0)
    )
    outside = y[..., 0] == 0
    assert outside.mean() > 0.9
    assert np.abs(x[outside]).max() < 0.02  # the mean is 0 after normalisation


@pytest.mark.parametrize("name", COLOURS)
def test_colours_change_and_the_mask_does_not(name):
    picture, mask = photo(), np.eye(60, 80, dtype=np.uint8) * 255
    (plain, target), *_ = draws(Augmentation.none(), picture, mask, count=1)
    changed = [(x, y) for x, y in draws(Augmentation(0, **{name: AMOUNTS[name]}), picture, mask, count=40)]
    assert all(np.array_equal(y, target) for _, y in changed)
    assert all(x.min() >= 0 and x.max() <= 1 for x, _ in changed)
    differences = [np.abs(x - plain).mean() for x, _ in changed]
    assert max(differences) > 0.02 and np.std(differences) > 0.002


def test_colours_stay_within_their_amounts():
    grey = np.full((40, 56, 3), 128, np.uint8)
    mask = np.zeros((40, 56), np.uint8)
    brightness = [x.mean() - 128 / 255 for x, _ in draws(Augmentation(0, brightness=0.2), grey, mask)]
    assert -0.202 <= min(brightness) < -0.18 and 0.18 < max(brightness) <= 0.202
    for name in ("contrast", "saturation", "hue"):  # of which a grey picture has none
        for x, _ in draws(Augmentation(0, **{name: AMOUNTS[name]}), grey, mask, count=20):
            np.testing.assert_allclose(x, 128 / 255, atol=1e-3)
    noise = [x.std() for x, _ in draws(Augmentation(0, noise=20), grey, mask)]
    assert max(noise) == pytest.approx(20 / 255, rel=0.1) and min(noise) < 2 / 255
    red = np.zeros((40, 56, 3), np.uint8)
    red[..., 0] = 255
    turned = np.array([x[0, 0] for x, _ in draws(Augmentation(0, hue=60), red, mask)])
    assert (turned[:, 0] == 1).all()  # up to yellow on one side, magenta on the other
    assert turned[:, 1].max() > 0.9 and turned[:, 2].max() > 0.9 and (turned[:, 1:].min(axis=1) == 0).all()


def test_the_same_generator_gives_the_same_and_the_input_is_left_alone():
    augmentation = Augmentation(0.5, 0.5, border_crop=9, crop_share=0.2, scale=(0.8, 1.3), **AMOUNTS)
    picture, mask = photo(), photo()[..., 0]
    before = picture.copy(), mask.copy()
    first, second = (list(draws(augmentation, picture, mask, count=3)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert all(np.array_equal(*arrays) for arrays in zip(one, other, strict=True))
    assert not np.array_equal(first[0][0], first[1][0])
    assert np.array_equal(picture, before[0]) and np.array_equal(mask, before[1])


def test_settings_go_through_json():
    augmentation = Augmentation(0.25, 0.25, True, 15, 0.125, (288, 288), (0.5, 2.0), **AMOUNTS)
    assert Augmentation.from_dict(json.loads(json.dumps(augmentation.to_dict()))) == augmentation
    assert Augmentation.from_dict({}) == Augmentation()
    with pytest.raises(SodkerasError, match=r"left_right, up_down.*Received: flip, zoom"):
        Augmentation.from_dict({"flip": 1, "hue": 3, "zoom": 2})


@pytest.mark.parametrize(
    ("settings", "received"),
    [
        ({"left_right": 1.5}, "1.5"),
        ({"up_down": -0.1}, "-0.1"),
        ({"left_right": "half"}, "'half'"),
        ({"left_right": True}, "True"),
        ({"left_right": 0.6, "up_down": 0.6, "one_flip": True}, "0.6 and 0.6"),
        ({"border_crop": -1}, "-1"),
        ({"border_crop": 1.5}, "1.5"),
        ({"crop_share": 1}, "1"),
        ({"noise": float("nan")}, "nan"),
        ({"scale": (2, 1)}, r"\(2, 1\)"),
        ({"scale": (0, 1)}, r"\(0, 1\)"),
        ({"scale": 2}, "2"),
        ({"crop_to": (0, 5)}, r"\(0, 5\)"),
        ({"crop_to": 288}, "288"),
    ],
)
def test_settings_that_cannot_work(settings, received):
    with pytest.raises(SodkerasError, match=f"Received: {received}$"):
        Augmentation(**settings)


def test_cropping_to_more_than_there_is():
    with pytest.raises(SodkerasError, match=r"\(40, 56\).*Received: crop_to=\(41, 10\)"):
        Augmentation(crop_to=(41, 10)).size(SMALL)
