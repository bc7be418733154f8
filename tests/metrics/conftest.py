"""Pairs of a map and a mask that metrics are compared on."""

import cv2
import numpy as np
import pytest


def _adversarial_pairs():
    rng = np.random.default_rng(0)

    def disc(height, width, centre, radius):
        return cv2.circle(np.zeros((height, width), np.uint8), centre, radius, 255, -1)

    soft = cv2.GaussianBlur(disc(60, 90, (30, 25), 15), (0, 0), 4)
    mask = disc(60, 90, (40, 30), 15)
    one_pixel = np.zeros((40, 50), np.uint8)
    one_pixel[17, 22] = 255
    noise = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    full, empty = np.full((40, 50), 255, np.uint8), np.zeros((40, 50), np.uint8)
    small_mask = rng.integers(0, 2, (3, 5), dtype=np.uint8) * 255
    pairs = {
        "soft disc": (soft, mask),
        "perfect": (mask, mask),
        "inverted": (255 - mask, mask),
        "scattered mask": (noise, rng.integers(0, 2, (40, 50), dtype=np.uint8) * 255),
        "sparse mask": (noise, (rng.random((40, 50)) < 0.01) * np.uint8(255)),
        "graded mask": (noise, cv2.resize(soft, (50, 40))),
        "faint map": (soft // 8, mask),
        "empty mask": (noise, empty),
        "full mask": (noise, full),
        "one-pixel mask": (noise, one_pixel),
        "one-pixel map": (one_pixel, disc(40, 50, (22, 17), 6)),
        "all-zero map": (empty, disc(40, 50, (22, 17), 6)),
        "all-one map": (full, disc(40, 50, (22, 17), 6)),
        "all-zero map, empty mask": (empty, empty),
        "all-one map, empty mask": (full, empty),
        "all-zero map, full mask": (empty, full),
        "object at the border": (noise, disc(40, 50, (3, 36), 8)),
        "3x5": (rng.integers(0, 256, (3, 5), dtype=np.uint8), small_mask),
        "2x2": (np.uint8([[10, 200], [30, 40]]), np.uint8([[255, 0], [0, 0]])),
        "one tall row": (rng.integers(0, 256, (200, 3), dtype=np.uint8), disc(200, 3, (1, 90), 20)),
    }
    return pairs


ADVERSARIAL_PAIRS = _adversarial_pairs()


@pytest.fixture(params=list(ADVERSARIAL_PAIRS))
def adversarial_pair(request):
    """A map and a mask, uint8 `[H, W]`, of a kind that breaks careless metrics."""
    return ADVERSARIAL_PAIRS[request.param]


@pytest.fixture
def adversarial_pairs():
    """All of them, as a list."""
    return list(ADVERSARIAL_PAIRS.values())


@pytest.fixture(scope="session")
def real_pairs(reference):
    """Masks of PASCAL-S with soft, displaced and noisy copies as maps: uint8 `[H, W]`, the empty mask included."""
    rng = np.random.default_rng(1)
    paths = sorted((reference / "data/pascal_s_200/masks").glob("*.png"))
    masks = {path: cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths}
    chosen = paths[::20] + [path for path in paths if masks[path].max() <= 127]
    pairs = []
    for path in chosen:
        mask = masks[path]
        moved = np.roll(mask, rng.integers(-20, 20, 2), axis=(0, 1))
        soft = cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(1, 12))).astype(np.float32)
        noise = cv2.GaussianBlur(rng.normal(0, 400, mask.shape), (0, 0), 8)
        pairs.append((np.clip(soft * rng.uniform(0.6, 1) + noise, 0, 255).astype(np.uint8), mask))
    return pairs
