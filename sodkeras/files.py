"""Files that are whole or absent."""

import contextlib
import os
import pathlib
import tempfile

from sodkeras.errors import SodkerasError


@contextlib.contextmanager
def whole_file(path):
    """Gives a temporary path beside `path` to write to; moves it into place only when the block ends well.

    Args:
        path: the file to make; its folder is made if it is missing.

    Raises:
        SodkerasError: if the folder cannot be made or written to.
    """
    path = pathlib.Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise SodkerasError(f"Cannot write there ({error.strerror}); choose another place. Received: {path}") from None
    try:
        yield pathlib.Path(name)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)  # mkstemp makes files that only their owner may read
        os.replace(name, path)
    except OSError as error:
        raise SodkerasError(f"Cannot write the file ({error.strerror}). Received: {path}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def read_bytes(path):
    """The bytes of a file.

    Raises:
        SodkerasError: if it is missing, a folder, unreadable or empty.
    """
    path = pathlib.Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SodkerasError(f"There is no such file. Received: {path}") from None
    except OSError as error:
        raise SodkerasError(f"Cannot read the file ({error.strerror}). Received: {path}") from None
    if not content:
        raise SodkerasError(f"The file is empty. Received: {path}")
    return content
