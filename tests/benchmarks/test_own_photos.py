"""Breaks if the list of photos, or what is read of packages by it, is not what own_photos.py says."""

import csv
import pathlib
import runpy

import cv2
import numpy as np
import pytest

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def own_photos():
    return runpy.run_path(str(BENCHMARKS / "own_photos.py"))


def test_each_photo_is_listed_once_for_one_use():
    with (BENCHMARKS / "own_photos.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["picture"] for row in rows}) == len(rows)
    assert len({(row["package"], row["version"], row["path"]) for row in rows}) == len(rows)
    assert {row["use"] for row in rows} == {"training", "validation"}
    assert {row["registry"] for row in rows} == {"debian", "npm"}


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_a_picture_in_a_qt_resource_file_is_read_whole(own_photos, tmp_path, suffix):
    photo = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(64, 48, 3)
    content = cv2.imencode(suffix, photo)[1].tobytes()
    resource = b"qres" + len(content).to_bytes(4, "big") + content + b"what follows"
    (tmp_path / "a.rcc").write_bytes(resource)
    assert own_photos["embedded"](resource, 8) == content
    assert own_photos["picture"](tmp_path, "a.rcc@8").shape == photo.shape


def test_what_is_no_picture_is_named(own_photos, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"no picture is in a\.jpg"):
        own_photos["picture"](tmp_path, "a.jpg")


def test_crops_are_of_photos_for_training_alone_and_the_same_each_time(own_photos, tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    for use in ("training", "validation", "crops"):
        (tmp_path / use).mkdir()
    own_photos["write"]("0001.jpg", photo, "training", tmp_path)
    first = [path.read_bytes() for path in sorted((tmp_path / "crops").iterdir())]
    own_photos["write"]("0001.jpg", photo, "training", tmp_path)
    own_photos["write"]("0002.jpg", photo, "validation", tmp_path)
    own_photos["write"]("0003.jpg", photo[:299, :299], "training", tmp_path)
    assert len(first) == 3
    assert [path.read_bytes() for path in sorted((tmp_path / "crops").iterdir())] == first
    assert max(cv2.imread(str(tmp_path / "training" / "0001.jpg")).shape) == 640
