"""Every fault of a data set that has cost somebody a training is found and named."""

import shutil

import cv2
import numpy as np
import pytest

from helpers import write_photo
from sodkeras import SodkerasError
from sodkeras.data.check import ADVICE, check_pairs, check_sets, stop_if_fatal
from sodkeras.data.pairs import find_sets


def check(folder):
    return check_sets(find_sets([folder]), progress=False)


def test_a_sound_set_has_no_problems(tmp_path, make_set):
    problems = check(make_set(tmp_path / "pond"))
    assert problems == []
    stop_if_fatal(problems)


@pytest.mark.parametrize(
    ("spoil", "kind", "fatal", "detail"),
    [
        (lambda folder: (folder / "images/photo2.jpg").write_bytes(b"no picture"), "unreadable", True, "damaged"),
        (lambda folder: (folder / "images/photo2.jpg").write_bytes(b""), "unreadable", True, "empty"),
        (lambda folder: cut(folder / "images/photo2.jpg"), "unreadable", True, "cut off"),
        (lambda folder: cut(folder / "masks/photo2.png"), "unreadable", True, "cut off"),
        (lambda folder: mask(folder, np.eye(64, 44) * 255), "another size", True, "44x64 for a picture of 62x44"),
        (lambda folder: mask(folder, np.eye(44, 62)), "mask of 0 and 1", True, ""),
        (lambda folder: mask(folder, np.zeros((44, 62))), "empty mask", False, ""),
        (lambda folder: mask(folder, np.eye(44, 62) * 127), "faint mask", False, "above 127 of 255"),
        (lambda folder: mask(folder, np.full((44, 62), 255)), "full mask", False, ""),
        (lambda folder: mask(folder, np.linspace(0, 255, 44 * 62).reshape(44, 62)), "graded mask", False, "80%"),
        (lambda folder: (folder / "images/photo2.jpg").rename(folder / "images/other.jpg"), "unpaired", False, ""),
        (
            lambda folder: (
                shutil.copy(folder / "images/photo2.jpg", folder / "images/photo3.jpg") and mask(folder, None)
            ),
            "duplicate",
            False,
            "photo2.jpg",
        ),
    ],
)
def test_each_fault_is_found(tmp_path, make_set, spoil, kind, fatal, detail):
    folder = make_set(tmp_path / "pond")
    spoil(folder)
    problems = check(folder)
    assert {problem.kind for problem in problems} == {kind}
    assert all(problem.path.is_relative_to(tmp_path) and problem.fatal == fatal for problem in problems)
    assert detail in problems[0].detail and problems[0].advice == ADVICE[kind]
    if fatal:
        with pytest.raises(SodkerasError, match=rf"1 files.*Received: {problems[0].path} \({kind}"):
            stop_if_fatal(problems)
    else:
        stop_if_fatal(problems)


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def mask(folder, values):
    """Puts a mask in place of photo2's; with None, one of photo2's size in place of photo3's."""
    name = "photo2"
    if values is None:
        name, values = "photo3", cv2.imread(str(folder / "masks/photo2.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folder / f"masks/{name}.png"), values.astype(np.uint8))


def test_a_picture_in_two_sets_is_found(tmp_path, make_set):
    make_set(tmp_path / "training", 3)
    make_set(tmp_path / "evaluation", 1)
    problems = check(tmp_path)
    assert [(problem.kind, problem.path.parent.parent.name) for problem in problems] == [("duplicate", "training")]
    assert str(tmp_path / "evaluation") in problems[0].detail


def test_soft_edges_are_no_graded_mask(tmp_path, make_set):
    folder = make_set(tmp_path / "pond", 1)
    disc = np.zeros((200, 300), np.uint8)
    cv2.circle(disc, (150, 100), 60, 255, -1)
    cv2.imwrite(str(folder / "masks/photo0.png"), cv2.GaussianBlur(disc, (0, 0), 2))
    write_photo(folder / "images/photo0.jpg", height=200, width=300)
    assert check(folder) == []


def test_problems_come_in_the_order_of_the_pairs_and_name_what_is_missing(tmp_path, make_set):
    folder = make_set(tmp_path / "pond", 12)
    (found,) = find_sets([folder])
    gone = [found.pairs[index].mask for index in (1, 5, 9)]
    for path in gone:
        path.unlink()
    problems = check_pairs(found.pairs, progress=False)
    assert [problem.path for problem in problems] == gone
    assert all(problem.detail == "There is no such file." for problem in problems)
