"""The object alone, on whatever is wanted behind it."""

import cv2
import numpy as np
import pytest
from PIL import Image

from sodkeras.errors import SodkerasError
from sodkeras.pictures import CutOut, Photo, read_background
from sodkeras.pictures.compositing import grey

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (60, 80, 3), np.uint8)
RAMP = np.linspace(0, 1, 60 * 80, dtype=np.float32).reshape(60, 80)


def square(first=20, last=40):
    alpha = np.zeros((60, 80), np.uint8)
    alpha[first:last, first:last] = 255
    return alpha


def test_raw_keeps_the_photo_and_takes_the_map_as_transparency():
    result = CutOut(edges="raw")(Photo(PICTURE), RAMP)
    np.testing.assert_array_equal(result[..., :3], PICTURE)
    np.testing.assert_array_equal(result[..., 3], grey(RAMP))


def test_clean_changes_no_transparency_and_no_pixel_that_is_wholly_there():
    alpha = cv2.GaussianBlur(square(), (0, 0), 2)
    result = CutOut()(Photo(PICTURE), alpha)
    np.testing.assert_array_equal(result[..., 3], alpha)
    whole = (alpha == 255) | (alpha == 0)
    np.testing.assert_array_equal(result[whole][:, :3], PICTURE[whole])
    assert (result[~whole][:, :3] != PICTURE[~whole]).any()


def test_a_transparent_photo_multiplies_its_transparency_and_is_copied_unless_told_otherwise():
    layered = np.dstack([PICTURE, np.full((60, 80), 100, np.uint8)])
    before = layered.copy()
    result = CutOut()(Photo(PICTURE, layered=layered), square())
    np.testing.assert_array_equal(layered, before)
    assert set(np.unique(result[..., 3])) == {0, 100}
    assert CutOut()(Photo(PICTURE, layered=layered), square(), overwrite=True) is layered


@pytest.mark.parametrize(("text", "rgb"), [("white", 255), ("#000", 0), ("rgb(9, 9, 9)", 9), ("#09090980", 9)])
def test_a_colour_behind(text, rgb):
    result = CutOut(background=read_background(text))(Photo(PICTURE), square())
    assert result.shape == PICTURE.shape
    np.testing.assert_array_equal(result[20:40, 20:40], PICTURE[20:40, 20:40])
    assert (result[:20] == rgb).all()
    half = CutOut(edges="raw", background=read_background(text))(Photo(PICTURE), np.full((60, 80), 0.5, np.float32))
    assert np.abs(half - (PICTURE * (128 / 255) + rgb * (127 / 255))).max() <= 0.51


def test_a_picture_behind_fills_the_photo_from_its_middle(tmp_path):
    behind = np.zeros((100, 400, 3), np.uint8)
    behind[:, 133:267] = 77  # what of it has the photo's aspect
    Image.fromarray(behind).save(tmp_path / "behind.png")
    result = CutOut(background=read_background(tmp_path / "behind.png"))(Photo(PICTURE), square())
    assert (result[square() == 0] == 77).mean() > 0.98
    tiny = CutOut(background=np.full((1, 1, 3), 5, np.uint8))(Photo(PICTURE), square())
    assert (tiny[square() == 0] == 5).all()


def test_the_blurred_background_has_no_glow_of_the_object():
    """A red disc on grey noise: behind it lies grey, smooth, and no pink."""
    noise = RNG.integers(90, 110, (300, 300, 1)).repeat(3, 2).astype(np.uint8)
    alpha = cv2.circle(np.zeros((300, 300), np.uint8), (150, 150), 60, 255, -1)
    picture = np.where(alpha[..., None] > 0, np.uint8([255, 0, 0]), noise)
    result = CutOut(background="blur")(Photo(picture), alpha)
    np.testing.assert_array_equal(result[alpha == 255], picture[alpha == 255])
    background = result[alpha == 0].astype(int)
    assert np.abs(background - 100).max() <= 4 and background.std() < noise[alpha == 0].std() / 4


@pytest.mark.parametrize(
    ("first", "last", "margin", "expected"),
    [(20, 40, 0, (20, 20)), (20, 40, 0.25, (30, 30)), (0, 30, 0.1, (33, 33)), (20, 60, 2, (60, 80))],
)
def test_a_crop_keeps_the_object_and_a_margin_within_the_photo(first, last, margin, expected):
    alpha = square(first, last)
    result = CutOut(crop=margin)(Photo(PICTURE), alpha)
    assert result.shape[:2] == expected and (result[..., 3] == 255).sum() == (alpha == 255).sum()


def test_a_crop_without_an_object_is_the_photo():
    assert CutOut(crop=0.1)(Photo(PICTURE), np.zeros((60, 80), np.uint8)).shape == (60, 80, 4)


def test_a_threshold_leaves_two_values():
    for saliency_map in (RAMP, grey(RAMP)):
        alpha = CutOut(mask_threshold=0.3)(Photo(PICTURE), saliency_map)[..., 3]
        assert set(np.unique(alpha)) == {0, 255} and (alpha == 255).mean() == pytest.approx(0.7, abs=0.005)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"edges": "soft"}, "Edges are one of clean, raw. Received: 'soft'"),
        ({"background": "white"}, "read_background"),
        ({"crop": -1}, "not negative. Received: -1"),
        ({"crop": float("nan")}, "not negative. Received: nan"),
        ({"mask_threshold": 1}, r"in \[0, 1\). Received: 1"),
    ],
)
def test_what_cannot_be_is_said(how, words):
    with pytest.raises(SodkerasError, match=words):
        CutOut(**how)


@pytest.mark.parametrize("text", ["whitish", "nothing.png", "#12345", ""])
def test_what_is_no_background_is_said(text):
    with pytest.raises(SodkerasError, match=f"A background is blur, a colour .* Received: {text}$"):
        read_background(text)
