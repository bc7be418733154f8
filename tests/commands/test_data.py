"""What a user sees of `sodkeras data`."""

import cv2
import numpy as np
import pytest

from helpers import write_photo
from sodkeras.commands import main
from sodkeras.data.packed import PackedPairs


@pytest.fixture
def pond(tmp_path):
    folder = tmp_path / "pond"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index in range(7):
        write_photo(folder / f"images/{index}.jpg", seed=index)
        mask = np.zeros((60, 80), np.uint8)
        cv2.circle(mask, (26 + 5 * index, 30), 15, 255, -1)
        cv2.imwrite(str(folder / f"masks/{index}.png"), mask)
    return folder


def test_a_sound_set(pond, capsys):
    assert main.main(["data", f"lake={pond}", "--check"]) == 0
    printed = capsys.readouterr().out
    assert "lake" in printed and "7" in printed and "nothing wrong" in printed


def test_problems_are_grouped_with_what_to_do_and_end_with_1_only_if_training_stops_at_them(pond, capsys):
    for index in range(6):
        cv2.imwrite(str(pond / f"masks/{index}.png"), np.zeros((60, 80), np.uint8))
    assert main.main(["data", str(pond), "--check"]) == 0
    printed = capsys.readouterr().out
    assert "empty mask: 6\n  training takes it as a picture without an object" in printed
    assert f"- {pond}/masks/4.png" in printed and "masks/5.png" not in printed and "1 more; --all" in printed
    assert main.main(["data", str(pond), "--check", "--all"]) == 0
    assert f"- {pond}/masks/5.png" in capsys.readouterr().out
    (pond / "images/6.jpg").write_bytes(b"no picture")
    assert main.main(["data", str(pond), "--check", f"--pack={pond}/set.npz"]) == 1
    printed = capsys.readouterr().out
    assert "unreadable: 1; training stops at it\n  get the file anew" in printed
    assert not (pond / "set.npz").exists()


def test_a_set_is_made_packed_and_shown(tmp_path, capsys):
    out = tmp_path / "toys"
    arguments = [f"--make_synthetic={out}", "--count=3", "--size=48x64", f"--show={tmp_path}/sheet.png"]
    assert main.main(["data", *arguments]) == 0
    assert "synthetic-toys" in capsys.readouterr().out
    assert cv2.imread(str(out / "images/00002.jpg")).shape == (48, 64, 3)
    assert cv2.imread(str(tmp_path / "sheet.png")).std() > 20
    assert main.main(["data", str(out), f"--pack={tmp_path}/toys.npz", "--size=16x24"]) == 0
    packed = PackedPairs(tmp_path / "toys.npz")
    assert len(packed) == 3 and packed[0][0].shape == (16, 24, 3) and packed.pairs[0].set == "synthetic-toys"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "name at least one SOURCE"),
        (["nothing"], 1, "Received: nothing"),
        (["{}", "--pack=set.npz", "--size=224"], 2, "--size=224: a size is HEIGHTxWIDTH"),
        (["{}", "--pack=set"], 1, "Received: set"),
        (["--make_synthetic={}"], 1, "Received: {}"),
        (["--make_synthetic=new", "--count=0"], 2, "count"),
        (["--make_synthetic=new", "--size=8x8"], 1, "of (8, 8)"),
        (["{}", "--cheque"], 2, "cheque"),
    ],
)
def test_wrong_use_is_one_sentence(pond, tmp_path, monkeypatch, capsys, arguments, code, says):
    monkeypatch.chdir(tmp_path)
    assert main.main(["data", *(text.replace("{}", str(pond)) for text in arguments)]) == code
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("sodkeras"))
    assert says.replace("{}", str(pond)) in line
    assert [path.name for path in tmp_path.iterdir()] == ["pond"]


def test_masks_of_classes_end_with_1_unless_a_class_is_chosen(pond, capsys):
    for path in sorted((pond / "masks").iterdir()):
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) // 255 * 3
        mask[:9, :9] = 1
        cv2.imwrite(str(path), mask)
    assert main.main(["data", str(pond), "--check"]) == 1
    printed = capsys.readouterr().out
    assert "mask of classes: 7; training stops at it\n  choose the object's class with --mask_value=N" in printed
    assert f"- {pond}/masks/0.png (3 values: 0, 1, 3)" in printed
    pack = [f"--pack={pond}/set.npz", "--size=60x80", f"--show={pond}/sheet.png"]
    assert main.main(["data", str(pond), "--check", "--mask_value=3", *pack]) == 0
    assert "nothing wrong" in capsys.readouterr().out
    mask = PackedPairs(pond / "set.npz")[0][1]
    assert set(np.unique(mask)) == {0, 255} and not mask[:9, :9].any() and mask[30, 26] == 255
    assert main.main(["data", str(pond), "--check", "--mask_value=4"]) == 1
    assert "no object: 1; training stops at it\n  every mask is empty" in capsys.readouterr().out
