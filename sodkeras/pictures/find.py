"""Which pictures a command is about, and how their results are called."""

import contextlib
import glob
import os
import pathlib
import re
from collections.abc import Iterable

from sodkeras.errors import SodkerasError
from sodkeras.pictures.write import END, HEADER, RESULT

#: What a folder is searched for.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jpx"),
    *(".jxl", ".bmp", ".dib", ".gif", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff"),
)
# Characters behind the name in what a result says of itself: a space, and a SHA-256 in hexadecimal.
_DIGEST = 65
# Pictures of kinds that are not read.
_OTHERS = (
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"),
    *(".psd", ".xcf", ".exr", ".hdr", ".svg", ".eps", ".ico"),
)


def find_pictures(
    patterns: Iterable[str | os.PathLike], with_results: bool = False, recursive: bool = False
) -> list[pathlib.Path]:
    """The picture files that files, folders and globs name, in order, each once.

    A folder gives the picture files in it (by suffix, not those of its subfolders); a glob may use `**`.

    Args:
        patterns: an iterable of strings or paths.
        with_results: whether folders and globs give what `sodkeras predict` wrote, too.
        recursive: whether a folder gives the pictures of the folders in it, too, but for hidden ones and links.

    Returns:
        A list of `pathlib.Path`; a plain file is taken whatever its suffix, and whether or not it exists: reading it
        will say.

    Raises:
        SodkerasError: if a folder has no pictures or cannot be read, a glob matches nothing, or either only results;
            for an address on the web.
    """
    found = {}
    for pattern in map(str, patterns):
        try:
            found.update(dict.fromkeys(_find(pattern, with_results, recursive)))
        except OSError as error:
            raise SodkerasError(f"Cannot read the folder ({error.strerror}). Received: {pattern}") from None
    return list(found)


def left_out(patterns: Iterable[str | os.PathLike], recursive: bool = False) -> list[pathlib.Path]:
    """What `find_pictures` passes over: pictures of kinds that are not read, such as a camera's raw files."""
    found = {}
    for pattern in map(str, patterns):
        path = pathlib.Path(pattern)
        if path.is_dir():
            files: Iterable[pathlib.Path] = _inside(path, recursive)
        elif glob.has_magic(pattern):
            files = map(pathlib.Path, sorted(glob.glob(pattern, recursive=True)))
        else:
            continue
        found.update(dict.fromkeys(file for file in files if _has_suffix(file, _OTHERS)))
    return list(found)


def _inside(folder, recursive):
    """The files of a folder, sorted; with those of the folders in it, but for hidden ones and links."""
    if not recursive:
        return sorted(folder.iterdir())
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [pathlib.Path(place, name) for name in sorted(names)]
    return found


def _find(pattern, with_results, recursive):
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", pattern):
        raise SodkerasError(f"Addresses are not opened; download the picture and name the file. Received: {pattern}")
    path = pathlib.Path(pattern)
    if path.is_dir():
        files = [file for file in _inside(path, recursive) if _has_suffix(file, SUFFIXES)]
        if not files:
            hint = "" if recursive else f"; those of folders in it are '{path}/**/*'"
            itself = "" if recursive else "itself "
            raise SodkerasError(f"The folder {itself}holds no pictures ({' '.join(SUFFIXES)}){hint}. Received: {path}")
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
    return origin_of(path) is not None


def origin_of(path: pathlib.Path) -> str | None:
    """The digest of all that a file was made of, as `sodkeras predict` wrote it there; None for any other file.

    That of a file which has been cut since is "".
    """
    if path.suffix.lower() != ".png":
        return None
    kind, content = RESULT
    with contextlib.suppress(OSError), path.open("rb") as file:
        start = file.read(HEADER + 8 + len(content) + _DIGEST)[HEADER:]
        if start[4 : 8 + len(content)] == kind + content:
            file.seek(-len(END), os.SEEK_END)
            if file.read() != END:
                return ""
            return start[8 + len(content) : 8 + int.from_bytes(start[:4], "big")].decode("latin-1").strip()
    return None


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
