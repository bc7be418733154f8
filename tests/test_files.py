"""Files are whole or absent, and nothing is read that has no end or is not what it says to be."""

import os
import stat
import time
import zipfile

import pytest

from sodkeras import SodkerasError, files
from sodkeras.files import check_size, declared_size, read_bytes, whole_file


@pytest.fixture
def umask():
    """Puts the process's umask back that a test changes."""
    before = os.umask(0o027)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_files_mode_is_that_of_any_new_file(tmp_path, umask, mask, mode):
    umask(mask)
    with whole_file(tmp_path / "new" / "file.txt") as temporary:
        temporary.write_text("content")
    assert stat.S_IMODE((tmp_path / "new" / "file.txt").stat().st_mode) == mode
    assert umask(mask) == mask


def test_what_a_killed_process_left_is_removed_after_a_day_and_nothing_else(tmp_path):
    old = time.time() - 2 * 24 * 60 * 60
    names = {
        ".sodkeras-0123456789abcdef.keras": old,
        ".sodkeras-0123456789abcdee.keras": time.time(),
        ".sodkeras-notes.txt": old,
        ".settings.keras": old,
        "sodkeras-0123456789abcdef.keras": old,
    }
    for name, changed in names.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (changed, changed))
    files._remove_stale.cache_clear()
    with whole_file(tmp_path / "a.keras") as temporary:
        temporary.write_bytes(b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*list(names)[1:], "a.keras"])


def test_a_pipe_or_a_device_is_refused_and_a_link_followed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "to_a_device").symlink_to("/dev/zero")
    (tmp_path / "round").symlink_to("round")
    assert read_bytes(tmp_path / "link") == b"content"
    for name in ("pipe", "to_a_device"):
        with pytest.raises(SodkerasError, match=f"a pipe or a device.*Received: {tmp_path / name}"):
            read_bytes(tmp_path / name)
    for name in ("/dev/zero", tmp_path, tmp_path / "none", tmp_path / "file" / "none", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(SodkerasError, match="Received: "):
            read_bytes(name)
    with pytest.raises(SodkerasError, match="Received: "):
        read_bytes(tmp_path / "round")


def test_a_name_that_cannot_be_is_one_sentence(tmp_path):
    for path in (tmp_path / "a\0b" / "y", tmp_path / ("x" * 300) / "y"):
        with pytest.raises(SodkerasError, match=r"choose another place\. Received: "), whole_file(path):
            pass


def test_what_a_zip_declares_is_known_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("one", "two"):
            archive.writestr(name, bytes(1_000_000))
    assert declared_size(path) == 2_000_000
    check_size(path, 256_000_000)
    with pytest.raises(SodkerasError, match=f"would unpack to 257 MB.*Received: {path}"):
        check_size(path, 257_000_000)
    path.write_bytes(bytes(30_000_000))
    check_size(path, 2_000_000_000)  # of 30 MB; but no network takes more
    with pytest.raises(SodkerasError, match="would unpack to 2001 MB"):
        check_size(path, 2_001_000_000)
    for content in (b"", b"text", b"PK\5\6" + bytes(10)):
        path.write_bytes(content)
        with pytest.raises(SodkerasError, match=f"Received: {path}"):
            declared_size(path)
