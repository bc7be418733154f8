"""A procedural data set, so that a first training needs no download. Its scores say nothing about photos."""

import json
import os
import pathlib

import cv2
import numpy as np

from sodkeras.data.pairs import SYNTHETIC_MARKER
from sodkeras.errors import SodkerasError
from sodkeras.files import whole_file
from sodkeras.pictures import encode_jpeg, write_png
from sodkeras.progress import progress_bar

# Shapes are drawn at so many times the size and shrunk, and on top of that blurred: their edges are soft.
_FINER = 2


def write_synthetic(
    folder: str | os.PathLike, count: int, size: tuple[int, int] = (240, 320), seed: int = 0, progress: bool = True
) -> None:
    """Writes pictures and masks, images/*.jpg and masks/*.png, and a marker, synthetic.json.

    A picture shows one or two objects (blobs, ellipses, polygons) of a colour and texture of their own before a
    textured background with a gradient, along with distractors: thin lines, specks, and faint shapes that are hardly
    other than the background. The mask has the objects, 255, with the picture's soft edges. Wherever the set is used,
    its name begins with "synthetic".

    Args:
        folder: the folder to make the set in; it holds no set yet.
        count: pairs.
        size: (height, width) in pixels.
        seed: the same seed gives the same pixels, and the first pairs of a larger set are those of a smaller one.
        progress: whether a bar is shown.

    Raises:
        SodkerasError: for a count or a size that cannot work, or a folder that cannot be written to or is in use.
    """
    folder = pathlib.Path(folder)
    if count < 1 or min(size) < 16:
        raise SodkerasError(
            f"A synthetic set has a pair at least, of 16x16 pixels at least. Received: {count} of {size}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SodkerasError(f"There is something already; choose a new folder. Received: {folder}")
    # The marker first: what an interruption leaves is known for what it is.
    with whole_file(folder / SYNTHETIC_MARKER) as temporary:
        settings = {"made_by": "sodkeras data --make_synthetic", "count": count, "size": list(size), "seed": seed}
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    for index in progress_bar(range(count), "synthetic", unit="pair", disable=not progress):
        picture, mask = draw_pair(np.random.default_rng([seed, index]), size)
        with whole_file(folder / "images" / f"{index:05}.jpg") as temporary:
            temporary.write_bytes(encode_jpeg(picture))
        write_png(folder / "masks" / f"{index:05}.png", mask)


def draw_pair(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draws a picture, RGB uint8 `[H, W, 3]`, and its mask, uint8 `[H, W]`."""
    height, width = size
    ground = rng.uniform(0.15, 0.85, 3)
    picture = _textured(rng, size, ground) + _gradient(rng, size)
    for _ in range(rng.integers(2, 6)):  # faint shapes
        shape = _soft(rng, _shape(rng, size, rng.uniform(0.05, 0.3)))
        picture += shape[..., None] * rng.uniform(-0.08, 0.08, 3).astype(np.float32)
    _draw_lines(rng, picture)
    mask = np.zeros(size, np.float32)
    for _ in range(rng.choice([1, 2], p=[0.75, 0.25])):
        while True:
            colour = rng.uniform(0, 1, 3)
            if np.abs(colour - ground).max() > 0.3:  # it stands out
                break
        while True:
            shape = _soft(rng, _shape(rng, size, rng.uniform(0.25, 0.65)))
            if (shape > 0.5).mean() > 0.005:  # no sliver that softening leaves nothing of
                break
        objects = _textured(rng, size, colour) + _gradient(rng, size)
        picture += shape[..., None] * (objects - picture)
        mask = np.maximum(mask, shape)
    picture += rng.normal(0, rng.uniform(0, 0.03), (height, width, 3)).astype(np.float32)
    return tuple(np.rint(255 * np.clip(array, 0, 1)).astype(np.uint8) for array in (picture, mask))


def _textured(rng, size, colour):
    """A colour with smooth noise of several scales and perhaps stripes, float32 `[H, W, 3]`."""
    height, width = size
    values = np.zeros((height, width, 3), np.float32)
    for cells in (3, 8, 24):
        noise = rng.normal(0, rng.uniform(0.01, 0.08), (cells, cells, 3)).astype(np.float32)
        values += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.4:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        angle, period = rng.uniform(0, np.pi), rng.uniform(5, 30)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * np.float32(2 * np.pi / period))
        values += wave[..., None].astype(np.float32) * rng.uniform(-0.1, 0.1, 3).astype(np.float32)
    return values + colour.astype(np.float32)


def _gradient(rng, size):
    """Light from one side, float32 `[H, W, 1]`."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    return (rng.uniform(0, 0.15) * (x * np.cos(angle) + y * np.sin(angle)))[..., None].astype(np.float32)


def _shape(rng, size, extent):
    """A blob, an ellipse or a polygon, uint8 `[_FINER·H, _FINER·W]`; `extent` is a share of the shorter side."""
    height, width = (_FINER * side for side in size)
    mask = np.zeros((height, width), np.uint8)
    centre = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height])
    radius = extent * min(height, width) / 2
    kind = rng.choice(["blob", "ellipse", "polygon"])
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    if kind == "blob":
        radii = 1 + sum(rng.uniform(-0.3, 0.3) / n * np.sin(n * angles + rng.uniform(0, 6.3)) for n in range(2, 7))
    elif kind == "ellipse":
        radii = 1 / np.hypot(np.cos(angles), np.sin(angles) / rng.uniform(0.4, 1))
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
        radii = rng.uniform(0.6, 1.2, len(angles))
    turned = angles + rng.uniform(0, 2 * np.pi)
    points = centre + radius * (radii * np.stack([np.cos(turned), np.sin(turned)])).T
    return cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 255)


def _soft(rng, mask):
    """The shape at the picture's size with soft edges, float32 in [0, 1]."""
    height, width = (side // _FINER for side in mask.shape)
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return cv2.GaussianBlur(small, (0, 0), rng.uniform(0.5, 2))


def _draw_lines(rng, picture):
    """Thin lines and specks of any colour, which are no objects."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(0, 12)):
        start, stop = (tuple(int(rng.integers(side)) for side in (width, height)) for _ in range(2))
        colour = rng.uniform(0, 1, 3).tolist()
        if rng.random() < 0.5:
            cv2.line(picture, start, stop, colour, 1, cv2.LINE_AA)
        else:
            cv2.circle(picture, start, int(rng.integers(1, 4)), colour, -1, cv2.LINE_AA)
