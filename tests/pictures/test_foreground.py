"""Foreground colours: what is left of the old background in an edge."""

import time

import cv2
import numpy as np
import pytest

from sodkeras.pictures.foreground import edge_colours

GREY, GREEN = np.float32([128, 128, 128]), np.float32([20, 220, 30])


def disc(size, edge):
    """How much of each pixel is a disc with a soft edge, in 8 bits."""
    rows, columns = np.mgrid[:size, :size]
    distance = np.hypot(rows - size / 2, columns - size / 2)
    return np.uint8(np.rint(255 * np.clip((size / 4 - distance) / edge + 0.5, 0, 1)))


def over(front, behind, alpha):
    share = alpha[..., None] / np.float32(255)
    return np.uint8(np.rint(front * share + behind * (1 - share)))


def cleaned(picture, alpha):
    result = picture.copy()
    rows, columns, colours = edge_colours(picture, alpha)
    result[rows, columns] = colours
    return result


def green(picture, alpha):
    """By how much the half-transparent pixels are greener than grey, in the mean."""
    band = picture[(alpha > 0) & (alpha < 255)].astype(float)
    return (band[:, 1] - (band[:, 0] + band[:, 2]) / 2).mean()


@pytest.mark.parametrize(("size", "edge"), [(400, 20), (1200, 60), (90, 6), (400, 3)])
def test_a_grey_disc_on_green_keeps_little_green_in_its_edge(size, edge):
    alpha = disc(size, edge)
    picture = over(GREY, GREEN, alpha)
    assert green(picture, alpha) > 60
    assert green(cleaned(picture, alpha), alpha) < 25


def test_only_half_transparent_pixels_change():
    alpha = disc(200, 10)
    picture = over(GREY, GREEN, alpha)
    rows, columns, colours = edge_colours(picture, alpha)
    np.testing.assert_array_equal(np.sort(rows * 200 + columns), np.flatnonzero((alpha > 0) & (alpha < 255)))
    assert colours.shape == (len(rows), 3) and colours.dtype == np.uint8


def test_a_picture_of_one_colour_stays_so_and_none_grows_dark():
    """What would be seen of weights that are next to nothing, at the edges of the picture too."""
    rng = np.random.default_rng(0)
    for shape in ((60, 80), (1, 1), (3, 700), (700, 3)):
        alpha = rng.choice(np.uint8([0, 1, 128, 254, 255]), shape)
        picture = np.full((*shape, 3), 200, np.uint8)
        assert (cleaned(picture, alpha) == 200).all()
    for level in (1, 128, 254):  # no pixel is wholly object or background
        assert (cleaned(np.full((40, 50, 3), 90, np.uint8), np.full((40, 50), level, np.uint8)) == 90).all()


def test_textures_come_back_better_than_they_were():
    rng = np.random.default_rng(1)
    grain = [cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (640, 480)) for _ in range(2)]
    alpha = cv2.resize(cv2.circle(np.zeros((60, 80), np.uint8), (40, 30), 18, 255, -1), (640, 480))
    picture = over(grain[0].astype(np.float32), grain[1].astype(np.float32), alpha)
    band = (alpha > 0) & (alpha < 255)
    share = alpha[band][:, None] / 255

    def error(result):
        return (share * np.abs(result[band].astype(float) - grain[0][band])).mean()

    assert error(cleaned(picture, alpha)) < 0.7 * error(picture)


def test_time_grows_with_the_edge_and_not_with_the_picture():
    """Processor time, which other work on the machine changes little."""
    small, large = disc(500, 20), np.pad(disc(500, 20), 750)
    pictures = [over(GREY, GREEN, alpha) for alpha in (small, large)]

    def seconds(picture, alpha):
        edge_colours(picture, alpha)
        start = time.process_time()
        for _ in range(3):
            edge_colours(picture, alpha)
        return time.process_time() - start

    assert seconds(pictures[1], large) < 8 * seconds(pictures[0], small)  # of 16 times the pixels
