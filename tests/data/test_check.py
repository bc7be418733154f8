"""Every fault of a data set that has cost somebody a training is found and named."""

import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers import photo, write_photo
from sodkeras import SodkerasError
from sodkeras.data.check import ADVICE, check_pairs, check_sets, stop_if_fatal
from sodkeras.data.pairs import find_pairs, find_sets
from sodkeras.data.samples import PairFiles, read_pair


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
        (lambda folder: mask(folder, classes(0, 1, 2)), "mask of classes", True, "3 values: 0, 1, 2"),
        (lambda folder: mask(folder, classes(0, 15, 255)), "mask of classes", True, "3 values: 0, 15, 255"),
        (lambda folder: mask(folder, classes(0, 1, 300), np.uint16), "mask of classes", True, "0, 1, 300"),
        (lambda folder: palette(folder, classes(0, 1, 2)), "mask of classes", True, "3 palette indexes: 0, 1, 2"),
        (lambda folder: mask(folder, np.full((44, 62), 7)), "unclear mask", True, "the value 7 everywhere"),
        (lambda folder: mask(folder, np.zeros((44, 62))), "empty mask", False, ""),
        (lambda folder: mask(folder, np.eye(44, 62) * 106), "faint mask", False, "above 106 of 255"),
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


def classes(*values):
    """A background with the other values in broad stripes, `[44, 62]`."""
    stripes = np.full((44, 62), values[0])
    for index, value in enumerate(values[1:]):
        stripes[5:20, 5 + 20 * index : 20 + 20 * index] = value
    return stripes


def palette(folder, indexes):
    image = Image.fromarray(indexes.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(folder / "masks/photo2.png")


def mask(folder, values, dtype=np.uint8):
    """Puts a mask in place of photo2's; with None, one of photo2's size in place of photo3's."""
    name = "photo2"
    if values is None:
        name, values = "photo3", cv2.imread(str(folder / "masks/photo2.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folder / f"masks/{name}.png"), values.astype(dtype))


@pytest.mark.parametrize(
    "write",
    [
        lambda path, disc: cv2.imwrite(path, disc // 255),
        lambda path, disc: cv2.imwrite(path, disc // 85),
        lambda path, disc: cv2.imwrite(path, disc.astype(np.uint16) // 255),
        lambda path, disc: cv2.imwrite(path, disc.astype(np.uint16)),
        lambda path, disc: cv2.imwrite(path, np.dstack([np.zeros((*disc.shape, 3), np.uint8), disc])),
    ],
)
def test_two_values_of_any_kind_are_sound_and_train_as_0_and_255(tmp_path, make_set, write):
    folder = make_set(tmp_path / "pond")
    expected = [mask for _, mask in PairFiles(find_pairs([folder]))]
    for path in sorted((folder / "masks").iterdir()):
        write(str(path), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    assert check(folder) == []
    for (_, received), mask in zip(PairFiles(find_pairs([folder])), expected, strict=True):
        np.testing.assert_array_equal(received, mask)


def test_a_value_chooses_the_class_that_is_checked_and_trained(tmp_path, make_set):
    folder = make_set(tmp_path / "pond")
    mask(folder, classes(0, 1, 2))
    sets = find_sets([folder], mask_value=2)
    # The other masks are of 0 and 255.
    assert {problem.kind for problem in check_sets(sets, progress=False)} == {"empty mask"}
    np.testing.assert_array_equal(read_pair(sets[0].pairs[2])[1], np.uint8(classes(0, 1, 2) == 2) * 255)
    with pytest.raises(SodkerasError, match=r"--mask_value=N.*photo2\.png with 3 values: 0, 1, 2$"):
        read_pair(find_pairs([folder])[2])


def test_what_weighs_nothing_may_have_any_mask(tmp_path, make_set):
    """As `sodkeras pseudo-label` leaves it where the teacher found nothing."""
    folder = make_set(tmp_path / "pond")
    mask(folder, classes(0, 1, 2))
    (folder / "pairs.csv").write_text("images/photo2.jpg,masks/photo2.png,0\nimages/photo1.jpg,masks/photo1.png\n")
    assert [(problem.kind, problem.fatal) for problem in check(folder)] == [("faint mask", False)]
    assert read_pair(find_pairs([folder])[0])[1].max() == 2


@pytest.mark.parametrize(("value", "kind"), [(0, "no object"), (255, "no background")])
def test_a_set_without_objects_stops_training_unless_there_are_others(tmp_path, make_set, value, kind):
    folder = make_set(tmp_path / "barren", masks=(value, value))
    problems = check(folder)
    assert [(problem.kind, problem.detail) for problem in problems if problem.fatal] == [(kind, "5 masks")]
    make_set(tmp_path / "pond", 7)
    for path in (folder / "images").iterdir():
        path.write_bytes(path.read_bytes() + b"another digest")
    assert not [problem for problem in check(tmp_path) if problem.fatal]


def test_inverted_masks_are_told_once_a_set(tmp_path, make_set):
    make_set(tmp_path / "pond", 5)
    folder = make_set(tmp_path / "inverted", 3, (255, 0))
    for index in range(3):
        disc = np.full((40 + 2 * index, 60 + index), 255, np.uint8)
        cv2.circle(disc, (30, 20), 12, 0, -1)
        cv2.imwrite(str(folder / f"masks/photo{index}.png"), disc)
    found = [problem for problem in check(tmp_path) if problem.kind != "duplicate"]
    assert [(problem.kind, problem.fatal, problem.detail) for problem in found] == [
        ("inverted masks", False, "3 of the 3 of inverted")
    ]


@pytest.mark.parametrize(
    ("size", "turn", "mask_turn", "told"),
    [
        ((40, 40), 6, 1, True),
        ((40, 60), 3, 1, True),
        ((40, 40), 6, 6, False),
        ((40, 60), 6, 1, False),  # the mask has the turned picture's size: it was drawn on it
        ((40, 40), 1, 1, False),
    ],
)
def test_a_turned_picture_beside_a_mask_that_is_not_is_doubtful(tmp_path, make_set, size, turn, mask_turn, told):
    folder = make_set(tmp_path / "pond", 1)

    def save(array, path, turn):
        exif = Image.Exif()
        exif[0x0112] = turn
        Image.fromarray(array).save(path, exif=exif)

    disc = np.zeros(size, np.uint8)
    cv2.circle(disc, (20, 20), 9, 255, -1)
    save(photo(*size), folder / "images/photo0.jpg", turn)
    drawn_turned = turn == 6 and mask_turn == 1
    save(np.rot90(disc, -1) if drawn_turned else disc, folder / "masks/photo0.png", mask_turn)
    expected = [("turned picture", False, f"EXIF orientation {turn}")] if told else []
    assert [(problem.kind, problem.fatal, problem.detail) for problem in check(folder)] == expected


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
