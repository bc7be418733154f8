"""A cache is never stale, never half, and gives what the files give."""

import errno
import os
import shutil
import zlib

import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.data import find_pairs
from sodkeras.data.cache import InMemory, OnDisk
from sodkeras.data.samples import PairFiles


@pytest.fixture
def samples(tmp_path, make_set):
    return PairFiles(find_pairs([make_set(tmp_path / "pond", 5)]))


def on_disk(samples, folder):
    return OnDisk(samples, folder, progress=False)


def assert_same(kept, samples):
    assert len(kept) == len(samples) and kept.pairs == samples.pairs
    for index in (4, 0, 2, 2):
        for array, expected in zip(kept[index], samples[index], strict=True):
            assert array.dtype == np.uint8
            np.testing.assert_array_equal(array, expected)


def test_kept_samples_are_those_of_the_files_and_need_them_no_more(samples, tmp_path):
    kept = [InMemory(samples), on_disk(samples, tmp_path / "cache")]
    for cache in kept:
        assert_same(cache, samples)
    shutil.move(samples.pairs[2].picture, tmp_path / "elsewhere.jpg")
    for cache in kept:
        assert cache[2][0].shape == (44, 62, 3)
    with pytest.raises(SodkerasError, match="no such file"):
        samples[2]


def test_the_file_is_used_again_and_another_one_when_a_mask_changed(samples, tmp_path):
    first = on_disk(samples, tmp_path / "cache")
    written = first.path.stat().st_mtime_ns
    again = on_disk(samples, tmp_path / "cache")
    assert again.path == first.path and again.path.stat().st_mtime_ns == written
    pair = samples.pairs[3]
    pair.mask.write_bytes(pair.mask.read_bytes() + b"\0")  # the same pixels, but who knows
    assert on_disk(samples, tmp_path / "cache").path != first.path
    fewer = PairFiles(samples.pairs[1:])
    assert on_disk(fewer, tmp_path / "cache").path != first.path


def test_a_file_that_cannot_be_written_whole_is_not_there(samples, tmp_path, monkeypatch):
    broken = samples.pairs[4].mask
    content = broken.read_bytes()
    broken.write_bytes(content[:50])
    with pytest.raises(SodkerasError, match=f"Received: {broken}"):
        on_disk(samples, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    broken.write_bytes(content)
    with monkeypatch.context() as patch:
        patch.setattr("sodkeras.data.cache.progress_bar", FullDisk)
        with pytest.raises(SodkerasError, match="No space left"):
            on_disk(samples, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    assert_same(on_disk(samples, tmp_path / "cache"), samples)


class FullDisk:
    """In place of the progress bar: the disk is full after a few pairs."""

    def __init__(self, *_, **__):
        self.left = 3

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def update(self):
        self.left -= 1
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_damaged_file_is_named(samples, tmp_path):
    path = on_disk(samples, tmp_path / "cache").path
    content = path.read_bytes()
    for damaged in (content[:-1000], content[:-8], content + bytes(16), b"", b"\1" * 5, bytes(len(content))):
        path.write_bytes(damaged)
        with pytest.raises(SodkerasError, match=f"Received: {path}"):
            on_disk(samples, tmp_path / "cache")


def test_a_changed_pixel_is_noticed_wherever_it_is(samples, tmp_path):
    path = on_disk(samples, tmp_path / "cache").path
    content = path.read_bytes()
    for place in [*range(0, len(content), len(content) // 40), len(content) - 1, len(content) - 9]:
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(SodkerasError, match=f"another check sum.*remove it. Received: {path}"):
            on_disk(samples, tmp_path / "cache")
    path.write_bytes(content)
    assert_same(on_disk(samples, tmp_path / "cache"), samples)


@pytest.mark.parametrize("size", [(0, 40), (-40, -60), (2**32, 2**32), (2**62, 4), (40, 61)])
def test_sizes_that_cannot_be_are_refused(samples, tmp_path, size):
    path = on_disk(samples, tmp_path / "cache").path
    content = path.read_bytes()
    rows = np.frombuffer(content[-5 * 24 - 8 : -8], np.int64).reshape(5, 3).copy()
    rows[2, :2] = size
    index = rows.tobytes()
    path.write_bytes(content[: -5 * 24 - 8] + index + np.int64(zlib.crc32(index)).tobytes())
    with pytest.raises(SodkerasError, match=f"The cache is damaged .*Received: {path}"):
        on_disk(samples, tmp_path / "cache")


def test_a_pipe_in_its_place_is_refused(samples, tmp_path):
    path = on_disk(samples, tmp_path / "cache").path
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SodkerasError, match="a pipe or a device"):
        on_disk(samples, tmp_path / "cache")
