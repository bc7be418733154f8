"""A teacher's maps become pairs that training takes, unsure ones lighter; an interrupted command goes on."""

import cv2
import numpy as np
import pytest

from helpers import photo
from sodkeras import SodkerasError
from sodkeras.commands.main import main
from sodkeras.data import find_pairs
from sodkeras.data.check import check_pairs
from sodkeras.data.pseudo_labels import certainty, pseudo_label
from sodkeras.data.samples import read_pair


class Teacher:
    """Knows the brightness of what is in the left half, so that a mirror image gives another map."""

    def __init__(self, name="left"):
        self.calls, self.name = 0, name

    def fingerprint(self):
        return self.name

    def predict(self, picture):
        self.calls += 1
        saliency_map = np.zeros(picture.shape[:2], np.float32)
        saliency_map[:, : picture.shape[1] // 2] = 0.8
        return saliency_map


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(3):
        cv2.imwrite(str(folder / f"photo{index}.jpg"), photo(20, 30, seed=index))
    return sorted(folder.iterdir())


def test_both_ways_of_looking_are_averaged_and_the_list_is_a_data_set(photos, tmp_path):
    teacher = Teacher()
    (photos[0].parent / "broken.jpg").write_bytes(b"no picture")
    everything = [*photos, photos[0].parent / "broken.jpg"]
    list_file, failures = pseudo_label(teacher, everything, tmp_path / "out", progress=False)
    assert [path.name for path, _ in failures] == ["broken.jpg"]
    pairs = find_pairs([list_file])
    assert [pair.stem for pair in pairs] == ["photo0", "photo1", "photo2"]
    mask = cv2.imread(str(pairs[0].mask), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, np.full((20, 30), 102))  # .4 in either half
    assert all(pair.picture.exists() and pair.weight == 0 for pair in pairs)  # grey all over
    before = list_file.read_bytes()
    list_file.unlink()
    pairs[1].mask.unlink()
    pseudo_label(teacher, photos, tmp_path / "out", progress=False)
    assert list_file.read_bytes() == before and teacher.calls == 8  # two looks at three pictures, then at one


def test_only_a_mask_of_the_same_picture_by_the_same_teacher_is_kept(photos, tmp_path):
    out, teacher = tmp_path / "out", Teacher()

    def looks(pictures, teacher=teacher):
        before = teacher.calls
        pseudo_label(teacher, pictures, out, progress=False)
        return (teacher.calls - before) // 2

    assert looks(photos) == 3 and looks(photos) == 0
    assert looks(photos, Teacher("another")) == 3 and looks(photos) == 3
    cv2.imwrite(str(photos[1]), photo(24, 30, seed=9))
    assert looks(photos) == 1
    assert cv2.imread(str(out / "masks/photo1.png")).shape[:2] == (24, 30)
    # Another picture of the same name, in a call of its own.
    (tmp_path / "others").mkdir()
    cv2.imwrite(str(tmp_path / "others/photo0.jpg"), photo(28, 36, seed=7))
    assert looks([tmp_path / "others/photo0.jpg"]) == 1
    assert cv2.imread(str(out / "masks/photo0.png")).shape[:2] == (28, 36)
    # A mask that somebody has changed, and a line that was cut off.
    cv2.imwrite(str(out / "masks/photo2.png"), np.zeros((20, 30), np.uint8))
    with (out / "masks.csv").open("a") as file:
        file.write("photo1.png,12")
    assert looks(photos) == 3
    assert [pair.stem for pair in find_pairs([out])] == ["photo0", "photo1", "photo2"]


def test_a_map_of_next_to_nothing_can_be_trained_on(photos, tmp_path):
    class Blind(Teacher):
        def predict(self, picture):
            saliency_map = np.zeros(picture.shape[:2], np.float32)
            saliency_map[5:10, :] = 1 / 255  # 8 bits make 0 and 1 of it, which training would refuse
            return saliency_map

    list_file, _ = pseudo_label(Blind(), photos, tmp_path / "out", progress=False)
    assert not any(problem.fatal for problem in check_pairs(find_pairs([list_file]), progress=False))
    assert not read_pair(find_pairs([list_file])[0])[1].any()


def test_a_map_of_few_greys_is_no_mask_of_classes(photos, tmp_path):
    class Unsure(Teacher):
        def predict(self, picture):
            steps = np.linspace(0.45, 0.6, picture.shape[0], dtype=np.float32)[:, None]
            return np.broadcast_to(steps, picture.shape[:2])

    list_file, _ = pseudo_label(Unsure(), photos, tmp_path / "out", progress=False)
    (pair, *_) = pairs = find_pairs([list_file])
    assert pair.soft and not any(problem.fatal for problem in check_pairs(pairs, progress=False))
    written = cv2.imread(str(pair.mask), cv2.IMREAD_UNCHANGED)
    assert 2 < len(np.unique(written)) < 64
    np.testing.assert_array_equal(read_pair(pair)[1], written)


def test_certainty():
    crisp = np.zeros((50, 50), np.uint8)
    crisp[10:30, 10:30] = 255
    assert certainty(crisp) == 1
    soft = cv2.GaussianBlur(crisp, (0, 0), 3)
    assert 0.3 < certainty(soft) < 0.8
    assert certainty(np.full((50, 50), 128, np.uint8)) < 0.01
    assert certainty(np.zeros((50, 50), np.uint8)) == 0


def test_nothing_to_label(tmp_path, capsys):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(SodkerasError, match=r"broken\.jpg"):
        pseudo_label(Teacher(), [path], tmp_path / "out", progress=False)
    assert main(["pseudo-label", str(path)]) == 2 and "--out" in capsys.readouterr().err
    assert main(["pseudo-label", "--out=x"]) == 2 and "picture" in capsys.readouterr().err
