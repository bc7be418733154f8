"""Scenes: new pictures of old ones, each pixel from a picture or an object that was given, with a mask that fits."""

import cv2
import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.commands.main import main
from sodkeras.data.pairs import find_pairs
from sodkeras.data.samples import read_pair
from sodkeras.data.scenes import write_scenes

SIZE = (48, 64)


@pytest.fixture
def pairs(tmp_path):
    """Blue pictures with a red square in a corner, one of them a pair that is unsure, whose square is green."""
    (tmp_path / "given").mkdir()
    lines = []
    for index in range(4):
        mask = np.zeros((60, 90), np.uint8)
        mask[2:14, 2:14] = 255
        picture = np.zeros((60, 90, 3), np.uint8)
        picture[..., 0] = 200
        picture[mask == 255] = (0, 200, 0) if index == 3 else (0, 0, 200)
        cv2.imwrite(str(tmp_path / f"given/{index}.png"), picture)
        cv2.imwrite(str(tmp_path / f"given/{index}-mask.png"), mask)
        lines.append(f"{index}.png,{index}-mask.png,{0.4 if index == 3 else 1}\n")
    (tmp_path / "given/pairs.csv").write_text("".join(lines))
    return find_pairs([tmp_path / "given/pairs.csv"])


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_masks_fit_their_pictures_and_show_what_was_pasted(pairs, tmp_path):
    write_scenes(tmp_path / "out", pairs, 40, SIZE, progress=False)
    scenes = [read_pair(pair) for pair in find_pairs([tmp_path / "out"])]
    assert len(scenes) == 40 and {mask.shape for _, mask in scenes} == {SIZE}
    counts = []
    for picture, mask in scenes:
        red, green, blue = np.int32(picture).transpose(2, 0, 1)
        inside = cv2.erode(mask, np.ones((9, 9))) == 255  # JPEG halves the resolution of colours
        outside = cv2.dilate(mask, np.ones((9, 9))) == 0
        assert (red + green)[inside].min(initial=255) > 120 and blue[outside].min(initial=255) > 120
        counts.append(cv2.connectedComponents(np.uint8(mask > 127))[0] - 1)
    assert {0, 1, 2} <= set(counts)  # its own may be cut off, others may have come


def test_objects_of_unsure_pairs_are_not_pasted(pairs, tmp_path):
    write_scenes(tmp_path / "out", pairs[:1] + [pairs[3]] * 5, 40, SIZE, progress=False)
    greens = [
        cv2.connectedComponents(np.uint8(np.int32(picture[..., 1]) - picture[..., 0] > 60))[0] - 1
        for picture, _ in map(read_pair, find_pairs([tmp_path / "out"]))
    ]
    assert set(greens) == {0, 1}  # its own stays in its picture, and no second one comes
    with pytest.raises(SodkerasError, match="No pair is sure enough"):
        write_scenes(tmp_path / "none", pairs[3:], 5, SIZE, progress=False)
    assert not (tmp_path / "none").exists()


def test_a_seed_gives_the_same_files_and_a_larger_set_begins_with_the_smaller(pairs, tmp_path):
    for name, count, seed in (("first", 3, 0), ("again", 3, 0), ("larger", 5, 0), ("other", 3, 1)):
        write_scenes(tmp_path / name, pairs, count, SIZE, seed, progress=False)
    first = _files(tmp_path / "first")
    assert len(first) == 6 and _files(tmp_path / "again") == first
    assert first.items() <= _files(tmp_path / "larger").items()
    assert not first.items() & _files(tmp_path / "other").items()


@pytest.mark.parametrize("count, size", [(0, SIZE), (1, (8, 64))])
def test_what_cannot_work_is_said(pairs, tmp_path, count, size):
    with pytest.raises(SodkerasError, match="Received"):
        write_scenes(tmp_path / "out", pairs, count, size, progress=False)


def test_nothing_is_overwritten(pairs, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(SodkerasError, match="something already"):
        write_scenes(tmp_path / "full", pairs, 1, SIZE, progress=False)


def test_the_verb(pairs, tmp_path, capsys):
    list_file = tmp_path / "given/pairs.csv"
    assert main(["data", str(list_file), f"--make_scenes={tmp_path / 'new'}", "--count=3", "--size=48x64"]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[2:]] == [["pairs", "4"], ["new", "3"]]
    assert main(["data", f"--make_scenes={tmp_path / 'none'}"]) == 2
    assert "name at least one SOURCE" in capsys.readouterr().err and not (tmp_path / "none").exists()
