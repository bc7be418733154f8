"""Masks and maps are read as they were meant, whichever way they were written, or refused by name."""

import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers import photo
from sodkeras import SodkerasError
from sodkeras.pictures.decode import orientation
from sodkeras.pictures.masks import MaskError, read_map, read_mask

INSIDE = np.zeros((30, 40), np.uint8)
cv2.circle(INSIDE, (17, 14), 9, 1, -1)
DISC = 255 * INSIDE
SOFT = cv2.GaussianBlur(DISC, (0, 0), 2)


def stripes(*values, dtype=np.uint8):
    """A background and the other values in broad stripes, `[30, 40]`."""
    mask = np.full((30, 40), values[0], dtype)
    for index, value in enumerate(values[1:]):
        mask[4:24, 2 + 9 * index : 9 + 9 * index] = value
    return mask


def array(path, values, **options):
    Image.fromarray(values).save(path, **options)


def colours(path, background, object_, inside=INSIDE):
    array(path, np.where(inside[..., None] > 0, np.uint8(object_), np.uint8(background)))


def palette(path, indexes, entries, **options):
    image = Image.fromarray(indexes, "P")
    image.putpalette([level for entry in entries for level in entry])
    image.save(path, **options)


def rgba(colour, alpha):
    return np.dstack([np.broadcast_to(np.uint8(colour), (*alpha.shape, 3)), alpha])


def turned(path, values, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    array(path, values, exif=exif)


VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]

# Name of the file and what writes the disc to it.
DISCS = {
    "0 and 1": ("a.png", lambda path: array(path, INSIDE)),
    "0 and 2": ("a.png", lambda path: array(path, 2 * INSIDE)),
    "0 and 255": ("a.png", lambda path: array(path, DISC)),
    "0 and 38": ("a.png", lambda path: array(path, 38 * INSIDE)),
    "0 and 127": ("a.png", lambda path: array(path, 127 * INSIDE)),
    "1 and 2": ("a.png", lambda path: array(path, 1 + INSIDE)),
    "100 and 180": ("a.png", lambda path: array(path, 100 + 80 * INSIDE)),
    "1 bit": ("a.png", lambda path: array(path, INSIDE > 0)),
    "1 bit, TIFF": ("a.tif", lambda path: array(path, INSIDE > 0)),
    "1 bit, BMP": ("a.bmp", lambda path: array(path, INSIDE > 0)),
    "2 bits a pixel": ("a.png", lambda path: palette(path, INSIDE, [(0, 0, 0), (85, 85, 85)], bits=2)),
    "16 bits, 0 and 1": ("a.png", lambda path: array(path, np.uint16(INSIDE))),
    "16 bits, 0 and 255": ("a.png", lambda path: array(path, np.uint16(DISC))),
    "16 bits, 0 and 300": ("a.png", lambda path: array(path, np.uint16(300) * INSIDE)),
    "16 bits, 0 and 65535": ("a.png", lambda path: array(path, np.uint16(65535) * INSIDE)),
    "16 bits, TIFF": ("a.tif", lambda path: array(path, np.uint16(65535) * INSIDE)),
    "16 bits, PGM": ("a.pgm", lambda path: cv2.imwrite(str(path), np.uint16(DISC))),
    "16 bits, RGB": ("a.png", lambda path: cv2.imwrite(str(path), np.dstack([np.uint16(DISC)] * 3))),
    "float TIFF": ("a.tif", lambda path: array(path, np.float32(INSIDE))),
    "palette, VOC's red": ("a.png", lambda path: palette(path, INSIDE, VOC)),
    "palette, index 3": ("a.png", lambda path: palette(path, 3 * INSIDE, VOC)),
    "palette, black is index 1": ("a.png", lambda path: palette(path, 1 - INSIDE, [(255, 255, 255), (0, 0, 0)])),
    "palette, GIF": ("a.gif", lambda path: palette(path, INSIDE, VOC)),
    "palette, BMP": ("a.bmp", lambda path: palette(path, INSIDE, VOC)),
    "palette, transparent white": (
        "a.png",
        lambda path: palette(path, INSIDE, [(255, 255, 255), (0, 0, 0)], transparency=0),
    ),
    "palette, one colour": (
        "a.png",
        lambda path: palette(path, INSIDE, [(9, 9, 9), (9, 9, 9)], transparency=b"\0\xff"),
    ),
    "RGB, black and white": ("a.png", lambda path: colours(path, (0, 0, 0), (255, 255, 255))),
    "RGB, dark blue": ("a.png", lambda path: colours(path, (0, 0, 0), (0, 0, 1))),
    "RGB, red on green": ("a.png", lambda path: colours(path, (0, 40, 0), (255, 0, 0))),
    "RGB, TIFF": ("a.tif", lambda path: colours(path, (0, 0, 0), (128, 0, 0))),
    "alpha of black": ("a.png", lambda path: array(path, rgba((0, 0, 0), DISC))),
    "alpha of white": ("a.png", lambda path: array(path, rgba((255, 255, 255), DISC))),
    "alpha of red, WebP": ("a.webp", lambda path: array(path, rgba((200, 0, 0), DISC), lossless=True)),
    "alpha of 0 and 1": ("a.png", lambda path: array(path, rgba((7, 7, 7), INSIDE))),
    "alpha of grey": ("a.png", lambda path: array(path, np.dstack([np.full_like(DISC, 50), DISC]))),
    "a black object on transparent white": (
        "a.png",
        lambda path: array(path, np.dstack([255 - DISC, 255 - DISC, 255 - DISC, DISC])),
    ),
    "alpha without meaning": (
        "a.png",
        lambda path: array(path, np.dstack([DISC, DISC, DISC, np.full_like(DISC, 255)])),
    ),
    "turned by EXIF": ("a.png", lambda path: turned(path, np.rot90(DISC), 6)),
    "alpha turned by EXIF": ("a.png", lambda path: turned(path, np.rot90(rgba((0, 0, 0), DISC)), 6)),
    "alpha mirrored by EXIF": ("a.png", lambda path: turned(path, rgba((0, 0, 0), DISC)[:, ::-1], 2)),
    "palette turned by EXIF": ("a.tif", lambda path: turned(path, np.rot90(DISC > 0, -1), 8)),
}


@pytest.mark.parametrize("name", DISCS)
def test_an_object_and_its_background_are_255_and_0(tmp_path, name):
    path = tmp_path / DISCS[name][0]
    DISCS[name][1](path)
    mask = read_mask(path)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, DISC)


GRADED = {
    "soft": SOFT,
    "soft and faint": np.uint8(np.linspace(0, 100, 1200).reshape(30, 40)),
    "ramp": np.uint8(np.linspace(0, 255, 1200).reshape(30, 40)),
    "edges of few shades": np.where(np.roll(INSIDE, 1, 1) != INSIDE, np.uint8(150), DISC),
    "PASCAL-S": stripes(0, 21, 106, 234),
    "PASCAL-S, faint": stripes(0, 21, 43, 85, 106),
    "PASCAL-S, one object": stripes(0, 213),
    "16 levels": np.uint8(17 * (np.arange(1200).reshape(30, 40) // 75)),
    "noise of compression": np.where(np.arange(40) % 2, DISC, np.where(DISC > 0, np.uint8(252), np.uint8(3))),
    "empty": stripes(0),
    "full": stripes(255),
}


@pytest.mark.parametrize("name", GRADED)
def test_shades_stay_as_they_are(tmp_path, name):
    values = GRADED[name]
    array(tmp_path / "a.png", values)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), values)
    array(tmp_path / "b.png", np.dstack([values] * 3))
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), values)


def test_shades_in_other_files(tmp_path):
    for name in ("a.tif", "a.bmp", "a.pgm"):
        array(tmp_path / name, SOFT)
        np.testing.assert_array_equal(read_mask(tmp_path / name), SOFT)
    array(tmp_path / "a.png", np.uint16(SOFT) * 257)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), SOFT)
    palette(tmp_path / "b.png", SOFT, [(level,) * 3 for level in range(256)])
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), SOFT)
    array(tmp_path / "c.png", rgba((255, 255, 255), SOFT))
    np.testing.assert_array_equal(read_mask(tmp_path / "c.png"), SOFT)
    for mode in ("L", "RGB"):
        Image.fromarray(DISC).convert(mode).save(tmp_path / "d.jpg", quality=70)
        assert ((read_mask(tmp_path / "d.jpg") > 127) == (DISC > 127)).all()


REFUSED = {
    "0, 1 and 2": (lambda path: array(path, stripes(0, 1, 2)), "mask of classes", "3 values: 0, 1, 2"),
    "0, 15 and 220": (lambda path: array(path, stripes(0, 15, 220)), "mask of classes", "3 values: 0, 15, 220"),
    "a class and VOC's void": (lambda path: array(path, stripes(0, 15, 255)), "mask of classes", "0, 15, 255"),
    "void around a class": (
        lambda path: array(
            path, np.where(cv2.dilate(INSIDE, np.ones((3, 3))) != INSIDE, 255, 15 * INSIDE).astype("u1")
        ),
        "mask of classes",
        "0, 15, 255",
    ),
    "many classes": (
        lambda path: array(path, np.uint8(np.arange(1200).reshape(30, 40) // 120 * 25)),
        "mask of classes",
        "10 values: 0, 25, 50, 75, 100, 125 …",
    ),
    "16 bits": (lambda path: array(path, stripes(0, 7, 24001, dtype=np.uint16)), "mask of classes", "0, 7, 24001"),
    "16 bits, small": (lambda path: array(path, stripes(0, 1, 2, dtype=np.uint16)), "mask of classes", "0, 1, 2"),
    "palette": (lambda path: palette(path, stripes(0, 1, 3), VOC), "mask of classes", "3 palette indexes: 0, 1, 3"),
    "palette of greys": (
        lambda path: palette(path, stripes(0, 1, 2), [(0,) * 3, (1,) * 3, (2,) * 3]),
        "mask of classes",
        "0, 1, 2",
    ),
    "colours": (lambda path: array(path, np.uint8(VOC)[stripes(0, 1, 2)]), "mask of classes", "3 colours"),
    "a photo": (lambda path: array(path, photo(30, 40)), "mask of classes", "colours"),
    "classes in alpha": (lambda path: array(path, rgba((0, 0, 0), stripes(0, 1, 2))), "mask of classes", "0, 1, 2"),
    "one grey": (lambda path: array(path, stripes(7)), "unclear mask", "the value 7 everywhere"),
    "one grey, 16 bits": (lambda path: array(path, stripes(700, dtype=np.uint16)), "unclear mask", "the value 700"),
    "one colour": (lambda path: array(path, np.uint8(VOC)[stripes(1)]), "unclear mask", "1 colour"),
    "one palette index": (lambda path: palette(path, stripes(1), VOC), "unclear mask", "palette index 1 everywhere"),
    "a cut-out": (lambda path: array(path, np.dstack([photo(30, 40), DISC])), "unclear mask", "colours and alpha"),
    "a palette of like colours": (
        lambda path: palette(path, INSIDE, [(9, 9, 9), (9, 9, 9)]),
        "unclear mask",
        "indexes 0 and 1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_telling_object_is_refused_by_name(tmp_path, name):
    write, kind, found = REFUSED[name]
    path = tmp_path / "a.png"
    write(path)
    with pytest.raises(MaskError) as caught:
        read_mask(path)
    message = str(caught.value)
    assert caught.value.kind == kind and found in caught.value.found
    assert message.endswith(caught.value.found) and f"Received: {path} with " in message
    assert "\n" not in message
    if kind == "mask of classes":
        assert "--mask_value=N" in message
    # Scoring sends errors from process to process.
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.kind, again.found) == (message, kind, caught.value.found)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: array(path, stripes(0, 15, 2, 255)),
        lambda path: array(path, stripes(0, 15, 2, dtype=np.uint16)),
        lambda path: palette(path, stripes(0, 15, 2), [(index, 0, 90) for index in range(16)]),
        lambda path: array(path, np.dstack([stripes(0, 15, 2)] * 3)),
        lambda path: array(path, rgba((0, 0, 0), stripes(0, 15, 2))),
    ],
)
def test_a_value_chooses_the_class(tmp_path, write):
    path = tmp_path / "a.png"
    write(path)
    for value, stripe in ((15, stripes(0, 255)), (2, stripes(0, 0, 255)), (77, stripes(0))):
        np.testing.assert_array_equal(read_mask(path, value), stripe)


def test_colours_have_no_value_to_choose_by(tmp_path):
    array(tmp_path / "a.png", np.uint8(VOC)[stripes(0, 1, 2)])
    with pytest.raises(MaskError, match=r"a palette's index or a grey value\. Received: .*a\.png with colours"):
        read_mask(tmp_path / "a.png", 1)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: array(path, SOFT // 60), SOFT // 60),
        (lambda path: array(path, INSIDE), INSIDE),
        (lambda path: array(path, np.uint16(SOFT) * 257), SOFT),
        (lambda path: array(path, np.uint16(SOFT)), SOFT),
        (lambda path: array(path, np.dstack([SOFT] * 3)), SOFT),
        (lambda path: palette(path, SOFT, [(level,) * 3 for level in range(256)]), SOFT),
        (lambda path: array(path, np.dstack([photo(30, 40), SOFT])), SOFT),
        (lambda path: array(path, np.dstack([photo(30, 40), np.zeros_like(SOFT)])), stripes(0)),
        (lambda path: array(path, np.dstack([SOFT, SOFT, SOFT, np.full_like(SOFT, 255)])), SOFT),
        (lambda path: array(path, np.dstack([np.full_like(SOFT, 9), SOFT])), SOFT),
        (lambda path: turned(path, np.rot90(np.dstack([photo(30, 40), SOFT])), 6), SOFT),
        (lambda path: array(path, INSIDE > 0), DISC),
    ],
)
def test_maps_are_not_stretched_and_those_of_cut_outs_are_their_alpha(tmp_path, write, expected):
    write(tmp_path / "a.png")
    saliency_map = read_map(tmp_path / "a.png")
    assert saliency_map.dtype == np.uint8
    np.testing.assert_array_equal(saliency_map, expected)


@pytest.mark.parametrize("key", [0, 255])
def test_a_transparent_grey_says_nothing_of_a_map_or_mask(tmp_path, key):
    Image.fromarray(SOFT).save(tmp_path / "a.png", transparency=key)
    np.testing.assert_array_equal(read_map(tmp_path / "a.png"), SOFT)
    Image.fromarray(SOFT).quantize(255).convert("L").save(tmp_path / "a.gif", transparency=key)
    np.testing.assert_array_equal(read_map(tmp_path / "a.gif"), Image.open(tmp_path / "a.gif").convert("L"))
    Image.fromarray(DISC).save(tmp_path / "b.png", transparency=key)
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), DISC)


def test_a_grey_map_with_an_alpha_channel_is_refused(tmp_path):
    alpha = np.full_like(SOFT, 255)
    alpha[0] = 0
    Image.fromarray(np.dstack([SOFT, alpha])).save(tmp_path / "a.png")
    with pytest.raises(MaskError, match=r"grey and alpha"):
        read_map(tmp_path / "a.png")


def test_a_map_in_colour_is_refused(tmp_path):
    for pixels in (photo(30, 40), np.dstack([photo(30, 40), np.full_like(DISC, 255)])):
        array(tmp_path / "a.png", pixels)
        with pytest.raises(SodkerasError, match=r"grey, or the alpha channel.*Received: .*a\.png, in colour"):
            read_map(tmp_path / "a.png")


@pytest.mark.parametrize("read", [read_mask, read_map])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "gif", "webp"])
def test_damaged_files_are_named_and_no_masks_of_classes(tmp_path, read, suffix):
    path = tmp_path / f"a.{suffix}"
    for spoil in (lambda content: content[:-40], lambda content: b"no picture", lambda content: b""):
        palette(path, INSIDE, VOC) if suffix == "gif" else array(path, DISC)
        path.write_bytes(spoil(path.read_bytes()))
        if suffix == "tif" and len(path.read_bytes()) > 20:
            continue  # its end is a table that readers may do without
        with pytest.raises(SodkerasError, match=rf"Received: {path}") as caught:
            read(path)
        assert not isinstance(caught.value, MaskError)
    with pytest.raises(SodkerasError, match="no such file"):
        read(tmp_path / "none.png")


def test_orientation(tmp_path):
    array(tmp_path / "a.png", DISC)
    turned(tmp_path / "b.png", DISC, 6)
    (tmp_path / "c.png").write_bytes(b"no picture")
    assert [orientation(tmp_path / f"{name}.png") for name in "abc"] == [1, 6, 1]
