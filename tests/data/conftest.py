"""Small data sets on disk."""

import cv2
import numpy as np
import pytest

from helpers import photo


@pytest.fixture
def make_set():
    """A function that writes images/ and masks/ to a folder: photos of several sizes, the disc in them as the mask."""

    def make(folder, count=5, masks=(0, 255)):
        for name in ("images", "masks"):
            (folder / name).mkdir(parents=True)
        for index in range(count):
            height, width = 40 + 2 * index, 60 + index
            mask = np.full((height, width), masks[0], np.uint8)
            cv2.circle(mask, (width // 3 + 5 * index, height // 2), height // 4, masks[1], -1)
            picture = photo(height, width, seed=index)
            cv2.imwrite(str(folder / f"images/photo{index}.jpg"), picture[..., ::-1])
            cv2.imwrite(str(folder / f"masks/photo{index}.png"), mask)
        return folder

    return make
