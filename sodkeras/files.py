"""Files that are whole or absent, and files that are what they seem before anything unpacks them."""

import contextlib
import errno
import functools
import os
import pathlib
import re
import secrets
import shutil
import stat
import tempfile
import time
import zipfile
import zlib

from sodkeras.errors import SodkerasError, first_line

#: What Python's zipfile raises for a damaged or foreign archive.
ZIP_ERRORS = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
# The bytes that a network takes unpacked, at most: the largest known here, U²-Net, takes 176 MB.
_LARGEST = 2_000_000_000
# A packed file may grow so many times, or to a size that every machine has: random weights hardly shrink, pruned ones
# to a tenth, and zeros (a bomb) to a thousandth.
_RATIO = 100
_HARMLESS = 256_000_000
_TEMPORARY, _SCRATCH = ".sodkeras-", "sodkeras-scratch-"
_STALE, _STALE_SCRATCH = 24 * 60 * 60, 7 * 24 * 60 * 60


@contextlib.contextmanager
def whole_file(path):
    """Gives a temporary path beside `path` to write to; moves it into place only when the block ends well.

    The file's mode is that of any new file, 0666 less the umask. What a killed process left in the folder more than a
    day ago is removed.

    Args:
        path: the file to make; its folder is made if it is missing.

    Raises:
        SodkerasError: if the folder cannot be made or written to.
    """
    path = pathlib.Path(path)
    temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile's, which only their owner may read: others may share the folder.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except (OSError, ValueError) as error:
        raise SodkerasError(f"Cannot write there ({reason(error)}); choose another place. Received: {path}") from None
    try:
        _remove_stale(os.path.abspath(path.parent))
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise SodkerasError(f"Cannot write the file ({error.strerror}). Received: {path}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


@functools.lru_cache(maxsize=1024)  # once a process: a folder of many maps is not searched for each of them
def _remove_stale(folder):
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not re.fullmatch(rf"{re.escape(_TEMPORARY)}[0-9a-f]{{16}}(\.\w+)?", entry.name):
                continue
            with contextlib.suppress(OSError):  # another process was first, or it is another user's
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE:
                    os.unlink(entry.path)


@contextlib.contextmanager
def scratch_folder():
    """Gives a temporary folder. Those that this user's killed processes left more than a week ago are removed."""
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as folder:
        for path in pathlib.Path(folder).parent.glob(f"{_SCRATCH}*"):
            with contextlib.suppress(OSError):  # another process was first
                found = path.lstat()
                is_mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.stat(folder).st_uid
                if is_mine and time.time() - found.st_mtime > _STALE_SCRATCH:
                    shutil.rmtree(path, ignore_errors=True)
        yield folder


def regular_file(path):
    """The path of a file that can be read to an end; links are followed.

    Raises:
        SodkerasError: if it is missing, a folder, not for this user, or a pipe or a device, which may never end.
    """
    path = pathlib.Path(path)
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a NUL in it
        raise SodkerasError(f"There is no such file. Received: {path}") from None
    except OSError as error:
        raise SodkerasError(f"Cannot read the file ({error.strerror}). Received: {path}") from None
    if stat.S_ISDIR(mode):
        raise SodkerasError(f"Cannot read the file ({os.strerror(errno.EISDIR)}). Received: {path}")
    if not stat.S_ISREG(mode):
        raise SodkerasError(f"This is a pipe or a device; save its content to a file and name that. Received: {path}")
    if not os.access(path, os.R_OK):
        raise SodkerasError(f"Cannot read the file ({os.strerror(errno.EACCES)}). Received: {path}")
    return path


def read_bytes(path):
    """The bytes of a file.

    Raises:
        SodkerasError: if it is missing, no regular file (see `regular_file`), unreadable, empty or beyond memory.
    """
    path = regular_file(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SodkerasError(f"There is no such file. Received: {path}") from None
    except (OSError, MemoryError) as error:
        raise SodkerasError(f"Cannot read the file ({reason(error)}). Received: {path}") from None
    if not content:
        raise SodkerasError(f"The file is empty. Received: {path}")
    return content


def declared_size(path):
    """The bytes that a zip file says to hold unpacked: the sum over its central directory. Nothing is unpacked.

    Python's and PyTorch's readers never unpack more of a member than is declared there.

    Raises:
        SodkerasError: if the file is missing, no regular file, or no whole zip.
    """
    path = regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except ZIP_ERRORS as error:
        raise SodkerasError(
            f"The file is not a {path.suffix or 'zip'} file or damaged ({reason(error)}); get it anew. Received: {path}"
        ) from None


def check_size(path, size):
    """Checks what a network's file takes once it is unpacked.

    Args:
        path: the file.
        size: the bytes that it says to hold, before they are unpacked.

    Raises:
        SodkerasError: for more than 2 GB, or more than 256 MB and 100 times the file.
    """
    packed = os.stat(path).st_size
    if size > min(_LARGEST, max(_HARMLESS, _RATIO * packed)):
        raise SodkerasError(
            f"The file of {packed / 1e6:.1f} MB would unpack to {size / 1e6:.0f} MB, as no network here does; get it "
            f"anew from those who made it. Received: {path}"
        )


def reason(error):
    """Of another library's error, what fits into a sentence: many say nothing, and a KeyError a mere name."""
    text = getattr(error, "strerror", None) or first_line(error)
    return f"{type(error).__name__} {text}".strip() if isinstance(error, KeyError) or not text else text
