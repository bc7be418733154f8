"""Which pictures a command is about, and how their results are called."""

import contextlib
import glob
import os
import pathlib
from collections.abc import Iterable

from sodkeras.errors import SodkerasError
from sodkeras.pictures.write import HEADER, RESULT

#: What a folder is searched for.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jpx"),
    *(".jxl", ".bmp", ".dib", ".gif", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff"),
)
# Pictures of kinds that are not read.
_OTHERS = (
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"),
    *(".psd", ".xcf", ".exr", ".hdr", ".svg", ".eps", ".ico"),
)


def find_pictures(patterns: Iterable[str | os.PathLike], with_results: bool = False) -> list[pathlib.Path]:
    """The picture files that files, folders and globs name, in order, each once.

    A folder gives the picture files in it (by suffix, not those of its subfolders); a glob may use `**`.

    Args:
        patterns: an iterable of strings or paths.
        with_results: whether folders and globs give what `sodkeras predict` wrote, too.

    Returns:
        A list of `pathlib.Path`; a plain file is taken whatever its suffix, and whether or not it exists: reading it
        will say.

    Raises:
        SodkerasError: if a folder has no pictures or cannot be read, a glob matches nothing, or either only results.
    """
    found = {}
    for pattern in map(str, patterns):
        try:
            found.update(dict.fromkeys(_find(pattern, with_results)))
        except OSError as error:
            raise SodkerasError(f"Cannot read the folder ({error.strerror}). Received: {pattern}") from None
    return list(found)


def left_out(patterns: Iterable[str | os.PathLike]) -> list[pathlib.Path]:
    """What `find_pictures` passes over: pictures of kinds that are not read, such as a camera's raw files."""
    found = {}
    for pattern in map(str, patterns):
        path = pathlib.Path(pattern)
        if path.is_dir():
            files: Iterable[pathlib.Path] = sorted(path.iterdir())
        elif glob.has_magic(pattern):
            files = map(pathlib.Path, sorted(glob.glob(pattern, recursive=True)))
        else:
            continue
        found.update(dict.fromkeys(file for file in files if _has_suffix(file, _OTHERS)))
    return list(found)


def _find(pattern, with_results):
    path = pathlib.Path(pattern)
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if _has_suffix(file, SUFFIXES)]
        if not files:
            raise SodkerasError(
                f"The folder itself holds no pictures ({' '.join(SUFFIXES)}); those of folders in it are "
                f"'{path}/**/*'. Received: {path}"
            )
    elif glob.has_magic(pattern) and not path.exists():
        matches = [pathlib.Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
        files = [file for file in matches if _has_suffix(file, SUFFIXES)]
        if not files:
            raise SodkerasError(f"No picture matches the pattern. Received: {pattern}")
    else:
        return [path]
    chosen = [file for file in files if with_results or not is_result(file)]
    if not chosen:
        raise SodkerasError(
            f"All pictures there are results of sodkeras predict; name those meant. Received: {pattern}"
        )
    return chosen


def is_result(path: pathlib.Path) -> bool:
    """Whether a file says that `sodkeras predict` wrote it."""
    if path.suffix.lower() != ".png":
        return False
    kind, content = RESULT
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(HEADER + 8 + len(content))[HEADER + 4 :] == kind + content
    return False


def _has_suffix(path, suffixes):
    return path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()


def example_pictures() -> list[pathlib.Path]:
    """The paths of the example photos, which come with the package.

    Raises:
        SodkerasError: if they are not installed.
    """
    package = pathlib.Path(__file__).parents[1]
    for folder in (package.parent / "examples", package / "examples"):  # in a checkout; installed
        if (folder / "ATTRIBUTION.md").is_file():
            return find_pictures([folder])
    raise SodkerasError(f"The example photos are not installed; install sodkeras anew. Received: {package}")


def output_stems(paths: Iterable[str | os.PathLike]) -> dict[str | os.PathLike, str]:
    """A name for each picture's results, no two alike on any file system.

    It is the picture's stem; where several have the same, their suffix follows, and then the folders around stand in
    front, as many as it takes: x/a.jpg, y/a.jpg and b.png become x_a_jpg, y_a_jpg and b.

    Args:
        paths: of pictures.

    Returns:
        A dict of paths to names.
    """
    stems, longer = {}, {}
    for path in paths:
        stems[path], *longer[path] = _names(pathlib.Path(path))
    while shared := _sharing(stems):
        for group in shared:
            if any(longer[path] for path in group):
                stems |= {path: longer[path].pop(0) for path in group if longer[path]}
            else:  # the same path but for capitals, or a name that is all of another's
                stems |= {path: f"{stems[path]}_{number}" for number, path in enumerate(group[1:], start=2)}
    return stems


def _sharing(stems):
    """Lists of the paths that have one name."""
    groups = {}
    for path, stem in stems.items():
        groups.setdefault(stem.casefold(), []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def _names(path):
    """Longer and longer names for the results of a picture."""
    name = f"{path.stem}_{path.suffix[1:]}"
    names = [path.stem, name]
    for folder in pathlib.Path(os.path.abspath(path)).parts[-2:0:-1]:
        names.append(f"{folder.lstrip('.')}_{names[-1]}")  # nobody would find a result with a dot in front
    return names
