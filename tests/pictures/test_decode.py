"""What a file holds beside plain colours: transparency, turn, profile, date; and sizes and ends that lie."""

import io
import itertools
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from sodkeras import SodkerasError
from sodkeras.pictures import encode_png, read_photo, read_picture
from sodkeras.pictures.decode import MAX_PIXELS, decode
from sodkeras.pictures.masks import read_map
from sodkeras.pictures.tags import Tags

pytest.importorskip("pillow_heif").register_heif_opener()

HEIGHT, WIDTH = 32, 48
# Large flat areas, so that lossy formats keep the colours: no two corners are alike, in colour and in alpha.
RGB = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
RGB[:16, :24], RGB[:16, 24:], RGB[16:, :24] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
ALPHA = np.full((HEIGHT, WIDTH), 255, np.uint8)
ALPHA[:16, :24], ALPHA[16:, :24] = 0, 128
ON_WHITE = np.round(RGB * (ALPHA[..., None] / 255) + 255.0 - ALPHA[..., None])
# How the stored rows lie that each of EXIF's turns sets upright (EXIF 2.32, tag 0x0112).
STORED = {
    1: lambda values: values,
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values),
    7: lambda values: values.swapaxes(0, 1)[::-1, ::-1],
    8: lambda values: np.rot90(values, -1),
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(values, kind, **options):
    buffer = io.BytesIO()
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(**entries):
    result = Image.Exif()
    for name, value in entries.items():
        result[{"turn": 0x0112, "date": 0x0132, "model": 0x0110, "artist": 0x013B}[name]] = value
    return result


def png(width, height, depth, kind, rows, *chunks):
    """A PNG file of packed rows, as Pillow does not write it."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("turn", STORED)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 95}),
        ("AVIF", {"quality": 95}),
        ("HEIF", {"quality": 95}),
        ("JPEG", {"quality": 95}),
    ],
    ids=str,
)
def test_colours_and_transparency_turn_together(kind, options, turn):
    for with_alpha in (False, True):
        if with_alpha and kind == "JPEG":
            continue
        values = np.dstack([RGB, ALPHA]) if with_alpha else RGB
        stored = np.ascontiguousarray(STORED[turn](values))
        content = saved(stored, kind, exif=exif(turn=turn).tobytes(), **options)
        expected = ON_WHITE if with_alpha else RGB
        for source in (content, io.BytesIO(content), Image.open(io.BytesIO(content))):
            picture = read_picture(source)
            assert picture.shape == expected.shape
            # Within the areas: at their borders lossy formats mix.
            for y, x in itertools.product((4, 28), (6, 42)):
                np.testing.assert_allclose(picture[y, x], expected[y, x], atol=8, err_msg=f"{kind} {with_alpha}")


def test_one_value_is_transparent_in_grey_of_any_depth():
    for depth, least, most in ((1, 0, 1), (2, 1, 3), (4, 3, 15), (8, 40, 200), (16, 300, 60000)):
        values = np.where(np.arange(16) < 8, least, most).astype(np.uint16)
        if depth < 8:
            bits = "".join(f"{value:0{depth}b}" for value in values)
            row = int(bits, 2).to_bytes(len(bits) // 8, "big")
        else:
            row = values.astype(f">u{depth // 8}").tobytes()
        for key in (least, most):
            content = png(16, 4, depth, 0, [row] * 4, (b"tRNS", struct.pack(">H", key)))
            picture = read_picture(content)
            shown = np.round(values * (255 / (2**depth - 1))) if depth <= 8 else values >> 8
            np.testing.assert_array_equal(picture[0, :, 0], np.where(values == key, 255, shown), f"{depth} {key}")


def test_one_colour_is_transparent_in_8_and_16_bits():
    for depth, kind in ((8, np.uint8), (16, ">u2")):
        scale = 257 if depth == 16 else 1
        row = np.array([[10, 20, 30], [10, 20, 31]] * 4, np.uint32) * scale
        key = struct.pack(">HHH", *(row[0]))
        picture = read_picture(png(8, 2, depth, 2, [row.astype(kind).tobytes()] * 2, (b"tRNS", key)))
        assert picture[0, 0].tolist() == [255] * 3 and picture[0, 1].tolist() == [10, 20, 31]


def test_colours_multiplied_by_alpha_are_divided_again():
    multiplied = np.round(RGB * (ALPHA[..., None] / 255)).astype(np.uint8)
    content = saved(np.dstack([multiplied, ALPHA]), "TIFF")
    straight, associated = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))  # the tag ExtraSamples
    assert content.count(straight) == 1
    content = content.replace(straight, associated)
    np.testing.assert_allclose(read_picture(content), ON_WHITE, atol=1)


def test_deep_colours_with_transparency():
    deep = np.dstack([RGB, ALPHA]).astype(np.uint16) * 257
    content = cv2.imencode(".png", cv2.cvtColor(deep, cv2.COLOR_RGBA2BGRA))[1].tobytes()
    assert decode(content).values.dtype == np.uint16
    np.testing.assert_allclose(read_picture(content), ON_WHITE, atol=1)


def test_tiffs_of_floats_and_32_bits(tmp_path):
    path = tmp_path / "a.tif"
    for values in (RGB[..., 0] / np.float32(255), RGB / np.float32(255)):
        cv2.imwrite(str(path), values[..., ::-1] if values.ndim == 3 else values)
        np.testing.assert_array_equal(read_picture(path)[..., 0], RGB[..., 0])
    Image.fromarray(RGB[..., 0].astype(np.int32) * 257).save(path)
    np.testing.assert_array_equal(read_picture(path)[..., 1], RGB[..., 0])
    cases = [(np.float32(RGB[..., 0]), r"\[0, 1\].*255\.0"), (np.full((4, 4), 70000, np.int32), "16 bits.*70000")]
    for values, says in cases:
        Image.fromarray(values).save(path)
        with pytest.raises(SodkerasError, match=rf"{says}.*"):
            read_picture(path)
        with pytest.raises(SodkerasError, match=r"a\.tif"):
            read_picture(path)


def test_a_profile_a_resolution_and_a_date_reach_the_results():
    camera = exif(date="2026:05:04 03:02:01", model="a camera", artist="A. N. Other", turn=6)
    camera[0x8769] = {0x9003: "2026:05:04 03:02:00", 0x9011: "+02:00", 0x927C: b"maker's note"}
    camera[0x8825] = {1: "N", 2: (48.0, 8.0, 14.0)}  # the place
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        content = saved(
            RGB, kind, exif=camera.tobytes(), icc_profile=SRGB, **({} if kind == "WEBP" else {"dpi": (300, 150)})
        )
        tags = read_photo(content).tags
        assert tags.profile == SRGB
        result = Image.open(io.BytesIO(encode_png(np.dstack([RGB, ALPHA]), tags)))
        result.load()
        np.testing.assert_array_equal(np.asarray(result), np.dstack([RGB, ALPHA]))
        assert result.info["icc_profile"] == SRGB
        if kind != "WEBP":
            assert np.allclose(result.info["dpi"], (300, 150), atol=0.1)
        kept = result.getexif()
        assert dict(kept.items()).keys() == {0x0132, 0x013B, 0x8769}, kind
        assert kept[0x0132] == "2026:05:04 03:02:01"
        assert kept.get_ifd(0x8769) == {0x9003: "2026:05:04 03:02:00", 0x9011: "+02:00"}
        assert not kept.get_ifd(0x8825)
        grey = Image.open(io.BytesIO(encode_png(ALPHA, tags)))
        assert "icc_profile" not in grey.info


def test_profiles_that_do_not_fit_are_not_handed_on():
    cmyk = SRGB[:16] + b"CMYK" + SRGB[20:]
    for profile in (SRGB[:-1], b"no profile", cmyk):
        assert read_photo(saved(RGB, "JPEG", icc_profile=profile)).tags == Tags()
    # Lab, as image editors save it, becomes sRGB.
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = saved(ImageCms.applyTransform(Image.fromarray(RGB), transform), "TIFF")
    assert np.abs(read_picture(lab).astype(int) - RGB).mean() < 8


def test_larger_pictures_than_may_be_are_refused_by_their_header(monkeypatch):
    bomb = png(50000, 50000, 8, 2, [b"\0" * 150000] * 3)
    jpeg = bytearray(saved(RGB, "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 30000, 30000)
    for content in (bomb, bytes(jpeg)):
        with pytest.raises(SodkerasError, match=r"200000000 pixels.*--max_pixels"):
            read_picture(content)
    content = saved(RGB, "PNG")
    monkeypatch.setenv(MAX_PIXELS, str(HEIGHT * WIDTH - 1))
    with pytest.raises(SodkerasError, match="48x32"):
        read_picture(content)
    monkeypatch.setenv(MAX_PIXELS, str(HEIGHT * WIDTH))
    assert read_picture(content).shape == RGB.shape
    monkeypatch.setenv(MAX_PIXELS, "many")
    with pytest.raises(SodkerasError, match=rf"{MAX_PIXELS}.*many"):
        read_picture(content)


def test_the_limit_that_others_set_in_pillow_stays(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_picture(saved(RGB, "PNG")).shape == RGB.shape
    assert Image.MAX_IMAGE_PIXELS == 10


NOISE = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "every value": {"subsampling": 0, "quality": 95},
    "restarts": {"restart_marker_rows": 1},
    "grey": {},
}


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_cut_anywhere_is_an_error_with_an_end_marker_too(name):
    content = saved(NOISE[..., 0] if name == "grey" else NOISE, "JPEG", **JPEGS[name])
    whole = read_picture(content)
    scan = content.index(b"\xff\xda")
    passed = 0
    for cut in np.linspace(scan + 20, len(content) - 40, 25).astype(int):
        for end in (b"\xff\xd9", b""):
            try:
                picture = read_picture(content[:cut] + end)
            except SodkerasError as error:
                assert "cut off" in str(error)
            else:
                unlike = np.abs(picture.astype(int) - whole).max(axis=2)
                if name == "progressive":  # a scan that refines what is there already
                    assert cut > 0.7 * len(content) and unlike.mean() < 25
                else:  # in the last block
                    assert not unlike[:-20].any() and not unlike[:, :-20].any()
                passed += 1
    assert passed <= 8


def scans_by_component(values):
    """A JPEG file with a scan for each channel of YCbCr, as Pillow does not write it (ITU-T T.81, B.2.2 and B.2.3)."""

    def segment(marker, content):
        return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content

    greys = [saved(np.ascontiguousarray(values[..., channel]), "JPEG") for channel in range(3)]
    frame = struct.pack(">BHHB", 8, *values.shape[:2], 3) + bytes([1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])
    result, first = b"\xff\xd8", greys[0]
    place = 2
    while first[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(first[place + 2 : place + 4], "big")
        if first[place + 1] in (0xDB, 0xC4):  # tables, the same for all: nothing was optimized
            result += first[place:end]
        place = end
    result += segment(0xC0, frame)
    for number, grey in enumerate(greys, start=1):
        data = grey[grey.index(b"\xff\xda") + 10 : -2]
        result += segment(0xDA, bytes([1, number, 0, 0, 63, 0])) + data
    return result + b"\xff\xd9"


def test_each_scan_of_a_component_is_whole():
    content = scans_by_component(NOISE)
    expected = np.asarray(Image.fromarray(NOISE, "YCbCr").convert("RGB")).astype(int)
    assert np.abs(read_picture(content) - expected).mean() < 30
    starts = [place for place in range(len(content)) if content[place : place + 2] == b"\xff\xda"]
    assert len(starts) == 3
    for start, end in zip(starts, [*starts[1:], len(content) - 2], strict=True):
        middle = (start + 8 + end) // 2
        with pytest.raises(SodkerasError, match="cut off"):
            read_picture(content[:middle] + content[end:])


def test_whole_jpegs_that_end_in_grey_or_in_other_files_are_read():
    grey = np.full((64, 64, 3), 128, np.uint8)
    for options in ({}, {"progressive": True}):
        content = saved(grey, "JPEG", quality=95, **options)
        np.testing.assert_array_equal(read_picture(content), grey)
        np.testing.assert_array_equal(read_picture(content + b"\0" * 100 + b"a film"), grey)
    samples = io.BytesIO()
    Image.fromarray(RGB).save(samples, "MPO", save_all=True, append_images=[Image.fromarray(RGB[::2])])
    assert read_picture(samples.getvalue()).shape == RGB.shape


def test_any_file_cut_anywhere_is_whole_or_an_error():
    kinds = {"PNG": {}, "GIF": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}, "PPM": {}, "TGA": {}}
    for kind, options in kinds.items():
        content = saved(NOISE, kind, **options)
        whole = read_picture(content)
        for cut in np.linspace(10, len(content) - 1, 30).astype(int):
            try:
                picture = read_picture(content[:cut])
            except SodkerasError:
                continue
            np.testing.assert_array_equal(picture, whole, err_msg=f"{kind} {cut} of {len(content)}")


def test_a_png_of_which_one_bit_changed_is_an_error():
    content = saved(NOISE[:40], "PNG")
    whole = read_picture(content)
    for place in np.linspace(40, len(content) - 13, 60).astype(int):
        damaged = bytearray(content)
        damaged[place] ^= 8
        with pytest.raises(SodkerasError):
            read_picture(bytes(damaged))
    for place in range(100, len(content) - 1, 997):  # a download into a file that was made as long as it would be
        with pytest.raises(SodkerasError):
            read_picture(content[:place] + bytes(len(content) - place))
    np.testing.assert_array_equal(read_picture(content), whole)


def test_a_cut_cmyk_jpeg_is_an_error():
    content = saved(Image.fromarray(NOISE).convert("CMYK"), "JPEG")
    assert read_picture(content).shape == NOISE.shape
    for share in (0.4, 0.6, 0.8):
        with pytest.raises(SodkerasError, match="cut off"):
            read_picture(content[: int(len(content) * share)] + b"\xff\xd9")


def test_white_may_be_0_in_a_tiff_of_any_depth(tmp_path):
    for values in (np.uint8([[0, 60, 255]]), np.uint16([[0, 60 * 257, 65535]]), np.float32([[0, 60 / 255, 1]])):
        content = saved(values, "TIFF")
        inverted = content.replace(struct.pack("<HHIHH", 262, 3, 1, 1, 0), struct.pack("<HHIHH", 262, 3, 1, 0, 0))
        assert inverted != content
        np.testing.assert_array_equal(read_picture(inverted)[0, :, 0], [255, 195, 0])
        (tmp_path / "a.tif").write_bytes(inverted)
        np.testing.assert_array_equal(read_map(tmp_path / "a.tif"), [[255, 195, 0]])


def test_numbers_of_32_bits_up_to_255_are_those_of_8():
    grey = np.arange(256, dtype=np.int32).reshape(16, 16)
    for source in (saved(grey, "TIFF"), Image.fromarray(grey)):
        np.testing.assert_array_equal(read_picture(source)[..., 0], grey)


def test_words_that_are_damaged_leave_the_picture():
    for kind in ("PNG", "WEBP", "JPEG"):
        content = saved(RGB, kind, exif=b"Exif\0\0II")
        assert read_picture(content).shape == RGB.shape, kind


def test_tiffs_that_would_be_read_wrongly_are_refused():
    twelve = saved(np.zeros((4, 4), np.uint8), "TIFF")
    twelve = twelve.replace(struct.pack("<HHIHH", 258, 3, 1, 8, 0), struct.pack("<HHIHH", 258, 3, 1, 12, 0))
    with pytest.raises(SodkerasError, match="save it as PNG"):
        read_picture(twelve)


def test_what_follows_the_end_is_no_matter():
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"):
        content = saved(RGB, kind)
        np.testing.assert_array_equal(read_picture(content + b"x" * 60), read_picture(content), err_msg=kind)


def test_kinds_that_are_known_but_not_read_say_why(tmp_path, monkeypatch):
    raw = saved(RGB, "TIFF", tiffinfo={254: 1})
    with pytest.raises(SodkerasError, match=r"raw photo.*preview"):
        read_picture(raw)
    monkeypatch.setattr("sodkeras.pictures.decode._formats", lambda: ["PNG"])
    with pytest.raises(SodkerasError, match=r"HEIC.*sodkeras\[heif\]"):
        read_picture(saved(RGB, "HEIF"))
    with pytest.raises(SodkerasError, match=r"JPEG XL.*pillow-jxl-plugin"):
        read_picture(b"\xff\x0a" + bytes(40))


def test_an_open_file_is_a_picture(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(RGB, "PNG"))
    with path.open("rb") as file:
        np.testing.assert_array_equal(read_picture(file), RGB)
    with path.open() as file, pytest.raises(SodkerasError, match="binary"):
        read_picture(io.StringIO("text"))
    for empty in (b"", io.BytesIO()):
        with pytest.raises(SodkerasError, match="empty"):
            read_picture(empty)
