"""Pictures in and out: every kind a user may have becomes RGB, uint8 `[H, W, 3]`."""

import glob
import os
import pathlib

import cv2
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes, whole_file

#: What a folder is searched for.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".avif", ".jp2")


def read_picture(source):
    """Reads a picture as the eye sees it: EXIF rotation applied, transparency laid over white, 16 bits cut to 8.

    Args:
        source: a path, the bytes of an image file, a PIL image, or an array `[H, W]`, `[H, W, 1]`, `[H, W, 3]` (RGB)
            or `[H, W, 4]` (RGBA) of uint8, uint16, bool, or floats in [0, 1].

    Returns:
        RGB, uint8 `[H, W, 3]`.

    Raises:
        SodkerasError: if the source is missing, damaged or no picture.
    """
    if isinstance(source, (str, os.PathLike)):
        return _decode(read_bytes(source), str(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(bytes(source), f"{len(source)} bytes")
    if hasattr(source, "getexif"):  # a PIL image, told apart without importing PIL where nobody uses it
        return _from_pil(source)
    return _from_array(np.asarray(source))


def _decode(content, name):
    encoded = np.frombuffer(content, np.uint8)
    is_jpeg = content[:2] == b"\xff\xd8"
    if (is_jpeg and not _jpeg_is_whole(content)) or (content[:4] == b"\x89PNG" and b"IEND" not in content[-64:]):
        raise SodkerasError(f"The picture is cut off in the middle; get the whole file. Received: {name}")
    try:
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
        # Only a second decoding shows transparency: the first drops it, and this one does not turn by EXIF.
        layered = None if is_jpeg or picture is None else cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        picture = None
    if picture is None:
        raise SodkerasError(f"The file is damaged or of a kind that is not known as a picture. Received: {name}")
    if layered is not None and layered.ndim == 3 and layered.shape[2] == 4 and layered.shape[:2] == picture.shape[:2]:
        picture = _over_white(picture, _to_uint8(layered[..., 3]))
    return picture


def _jpeg_is_whole(content):
    """Whether the end marker follows the start of the scan: OpenCV fills what is missing with grey and says nothing."""
    position = 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        if marker == 0xDA:  # start of scan; inside it 0xFF is always followed by 0 or a restart marker
            return content.find(b"\xff\xd9", position) >= 0
    return False


def _from_pil(image):
    from PIL import ImageOps

    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            values = np.asarray(image)
            return _from_array(values.clip(0, 65535).astype(np.uint16) if image.mode != "F" else values)
        if "A" in image.mode or "transparency" in image.info:
            return _from_array(np.asarray(image.convert("RGBA")))
        return _from_array(np.asarray(image.convert("RGB")))
    except (OSError, SyntaxError) as error:  # what PIL raises for damaged files, which it reads late
        raise SodkerasError(f"The PIL image cannot be read ({error}). Received: {image}") from None


def _from_array(array):
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise SodkerasError(
            f"A picture is an array [H, W], or [H, W, C] with 1, 3 or 4 channels. Received: {array.shape}"
        )
    array = _to_uint8(array)
    if array.shape[2] == 4:
        return _over_white(array[..., :3], array[..., 3])
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _to_uint8(array):
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return (array >> 8).astype(np.uint8)
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # NaN fails too
            raise SodkerasError(f"A picture of floats has values in [0, 1]. Received: {low} to {high}")
        return np.round(array * 255).astype(np.uint8)
    raise SodkerasError(f"A picture is uint8, uint16, bool, or floats in [0, 1]. Received: {array.dtype}")


def _over_white(picture, alpha):
    weight = alpha[..., None].astype(np.uint16)
    return ((picture * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)


def encode_png(array):
    """PNG bytes of an array: grey `[H, W]`, RGB `[H, W, 3]` or RGBA `[H, W, 4]`, uint8."""
    if array.ndim == 3:
        array = cv2.cvtColor(array, cv2.COLOR_RGBA2BGRA if array.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", array)[1].tobytes()


def encode_jpeg(picture, quality=92):
    """JPEG bytes of an RGB picture, uint8 `[H, W, 3]`."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def write_png(path, array):
    """Writes an array as `encode_png` takes it; the file is whole or absent."""
    content = encode_png(array)
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def find_pictures(patterns):
    """The picture files that files, folders and globs name, in order, each once.

    A folder gives the picture files in it (by suffix, not those of its subfolders); a glob may use `**`.

    Args:
        patterns: an iterable of strings or paths.

    Returns:
        A list of `pathlib.Path`; a plain file is taken whatever its suffix, and whether or not it exists: reading it
        will say.

    Raises:
        SodkerasError: if a folder has no pictures or cannot be read, or a glob matches nothing.
    """
    found = {}
    for pattern in map(str, patterns):
        try:
            found.update(dict.fromkeys(_find(pattern)))
        except OSError as error:
            raise SodkerasError(f"Cannot read the folder ({error.strerror}). Received: {pattern}") from None
    return list(found)


def _find(pattern):
    path = pathlib.Path(pattern)
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if _looks_like_picture(file)]
        if not files:
            raise SodkerasError(f"The folder holds no pictures ({' '.join(SUFFIXES)}). Received: {path}")
        return files
    if glob.has_magic(pattern) and not path.exists():
        matches = [pathlib.Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
        files = [file for file in matches if _looks_like_picture(file)]
        if not files:
            raise SodkerasError(f"No picture matches the pattern. Received: {pattern}")
        return files
    return [path]


def _looks_like_picture(path):
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def output_stems(paths):
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
    for folder in path.absolute().parts[-2:0:-1]:
        names.append(f"{folder}_{names[-1]}")
    return names


def without_results(paths, folder, kinds):
    """The pictures among paths that are no results which `sodkeras predict` wrote of others of them, into `folder`."""
    folder, stems = pathlib.Path(folder).resolve(), {path.stem for path in paths}

    def is_result(path):
        stem, _, kind = path.stem.rpartition("_")
        return path.suffix == ".png" and kind in kinds and stem in stems and path.resolve().parent == folder

    return [path for path in paths if not is_result(path)]
