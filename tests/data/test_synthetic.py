"""A first training set without a download: the same for a seed, learnable, and never taken for photos."""

import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.data.check import check_sets
from sodkeras.data.pairs import find_sets
from sodkeras.data.samples import read_pair
from sodkeras.data.synthetic import draw_pair, write_synthetic

SIZE = (60, 80)


def write(folder, count=4, **arguments):
    write_synthetic(folder, count, SIZE, progress=False, **arguments)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*") if path.suffix != ".json"}


def test_a_seed_gives_the_same_files_and_a_larger_set_begins_with_the_smaller(tmp_path):
    first = write(tmp_path / "first")
    assert sorted(first) == sorted(
        f"{place}/0000{i}.{kind}" for place, kind in (("images", "jpg"), ("masks", "png")) for i in range(4)
    )
    assert write(tmp_path / "again") == first
    assert first.items() <= write(tmp_path / "larger", 6).items()
    assert not first.items() & write(tmp_path / "other", seed=1).items()


def test_the_set_is_sound_and_called_synthetic(tmp_path):
    write(tmp_path / "DUTS-TR", 10)
    sets = find_sets([tmp_path / "DUTS-TR"])
    assert [(found.name, len(found.pairs)) for found in sets] == [("synthetic-DUTS-TR", 10)]
    assert not [problem for problem in check_sets(sets, progress=False) if problem.kind != "graded mask"]
    for pair in sets[0].pairs:
        picture, mask = read_pair(pair)
        assert picture.shape == (*SIZE, 3) and mask.shape == SIZE
        assert ((mask > 0) & (mask < 255)).any()  # soft edges


def test_objects_are_other_than_what_is_around_them():
    contrasts, shares = [], []
    for seed in range(40):
        picture, mask = draw_pair(np.random.default_rng(seed), SIZE)
        inside, outside = picture[mask > 250].astype(float), picture[mask == 0].astype(float)
        if len(inside):
            contrasts.append(np.abs(inside.mean(axis=0) - outside.mean(axis=0)).max())
        shares.append((mask > 127).mean())
    assert len(contrasts) > 35 and np.quantile(contrasts, 0.1) > 30
    assert 0.03 < np.mean(shares) < 0.4 and np.ptp(shares) > 0.1


@pytest.mark.parametrize("size", [(240, 320), (16, 16)])
def test_every_mask_has_an_object_that_scores_count(size):
    """A polygon of three points nearly on a line, softened, is a mask without a salient pixel."""
    for number in range(60):
        _, mask = draw_pair(np.random.default_rng([0, number]), size)
        assert (mask > 127).mean() > 0.004, number


def test_what_cannot_be_made(tmp_path):
    write(tmp_path / "used", 1)
    (tmp_path / "file").touch()
    for folder, count, size, received in (
        (tmp_path / "used", 1, SIZE, "used"),
        (tmp_path / "file", 1, SIZE, "file"),
        (tmp_path / "new", 0, SIZE, r"0 of \(60, 80\)"),
        (tmp_path / "new", 1, (60, 8), r"1 of \(60, 8\)"),
        (tmp_path / "file" / "new", 1, SIZE, "new"),
    ):
        with pytest.raises(SodkerasError, match=f"Received: .*{received}"):
            write_synthetic(folder, count, size, progress=False)
    assert not (tmp_path / "new").exists()
