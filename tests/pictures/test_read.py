"""Every kind of picture a user may have, and every way one can be broken."""

import io
import pathlib

import cv2
import numpy as np
import pytest
from PIL import Image

from sodkeras import SodkerasError
from sodkeras.pictures import encode_png, find_pictures, output_stems, read_picture, write_png
from sodkeras.pictures.compositing import grey, overlay

RNG = np.random.default_rng(0)
# Large flat areas, so that lossy formats keep the colours: top left red, top right green, bottom left blue, rest grey.
RGB = np.full((32, 48, 3), 128, np.uint8)
RGB[:16, :24], RGB[:16, 24:], RGB[16:, :24] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_lossless_kinds_are_read_exactly():
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(RGB), kind)), RGB, err_msg=kind)


def test_a_path_bytes_a_pil_image_and_an_array_are_the_same_picture(tmp_path):
    path = tmp_path / "Grüße.png"
    path.write_bytes(encoded(Image.fromarray(RGB), "PNG"))
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), Image.open(path), RGB):
        np.testing.assert_array_equal(read_picture(source), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_as_pil_applies_it(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(RGB), "JPEG", quality=95, exif=exif.tobytes())
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    for source in (content, Image.open(io.BytesIO(content))):
        picture = read_picture(source)
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(int) - expected).mean() < 3


def test_grey_becomes_three_equal_channels():
    grey_values = RNG.integers(0, 256, (5, 7), np.uint8)
    for source in (grey_values, grey_values[..., None], encoded(Image.fromarray(grey_values), "PNG")):
        picture = read_picture(source)
        assert picture.shape == (5, 7, 3)
        np.testing.assert_array_equal(picture, np.repeat(grey_values[..., None], 3, 2))


def test_transparency_is_laid_over_white():
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:16, :24, 3] = 0  # the red quarter is invisible
    rgba[:16, 24:, 3] = 128  # the green one half so
    image = Image.fromarray(rgba)
    for source in (rgba, image, encoded(image, "PNG"), encoded(image, "WEBP", lossless=True)):
        picture = read_picture(source)
        assert tuple(picture[0, 0]) == (255, 255, 255)
        np.testing.assert_allclose(picture[0, -1], (127, 255, 127), atol=1)
        assert tuple(picture[-1, 0]) == (0, 0, 255)


def test_palette_with_and_without_transparency():
    palette = Image.fromarray(RGB).quantize(4)
    np.testing.assert_array_equal(read_picture(encoded(palette, "PNG")), RGB)
    np.testing.assert_array_equal(read_picture(palette), RGB)
    red = palette.getpixel((0, 0))
    assert tuple(read_picture(encoded(palette, "PNG", transparency=red))[0, 0]) == (255, 255, 255)


def test_sixteen_bits_are_cut_to_eight():
    deep = RGB.astype(np.uint16) * 257
    content = cv2.imencode(".png", cv2.cvtColor(deep, cv2.COLOR_RGB2BGR))[1].tobytes()
    for source in (deep, content):
        np.testing.assert_array_equal(read_picture(source), RGB)
    grey16 = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    content = cv2.imencode(".png", grey16)[1].tobytes()
    for source in (content, Image.open(io.BytesIO(content))):
        np.testing.assert_array_equal(read_picture(source)[..., 0], grey16 >> 8)


def test_cmyk_jpeg_has_the_colours_that_pil_sees():
    content = encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    for source in (content, Image.open(io.BytesIO(content))):
        assert np.abs(read_picture(source) - expected).mean() < 4


def test_floats_in_the_unit_interval_are_scaled():
    np.testing.assert_array_equal(read_picture(RGB / np.float32(255)), RGB)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 3, 2), np.uint8), r"\(2, 3, 2\)"),
        (np.zeros((0, 3, 3), np.uint8), r"\(0, 3, 3\)"),
        (np.zeros((2, 2), np.int32), "int32"),
        (np.full((2, 2), 1.5), "1.5"),
        (np.full((2, 2), np.nan), "nan"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array, says):
    with pytest.raises(SodkerasError, match=says):
        read_picture(array)


def test_a_jpeg_cut_anywhere_is_an_error_and_never_half_grey():
    content = encoded(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)), "JPEG", quality=95)
    for part in (0.02, 0.3, 0.5, 0.9, 0.999):
        with pytest.raises(SodkerasError):
            read_picture(content[: int(len(content) * part)])


def test_a_jpeg_whose_thumbnail_is_whole_but_whose_scan_is_cut_is_an_error():
    thumbnail = encoded(Image.fromarray(RGB), "JPEG")
    photo = encoded(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)), "JPEG")
    segment = b"Exif\0\0" + thumbnail
    content = photo[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + photo[2:]
    assert read_picture(content).shape == (64, 64, 3)
    with pytest.raises(SodkerasError, match="cut off"):
        read_picture(content[:-200])


def test_files_that_are_no_pictures(tmp_path):
    cases = {"empty.jpg": b"", "text.jpg": b"hello, this is a text", "noise.png": RNG.bytes(500)}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SodkerasError, match=name):
            read_picture(tmp_path / name)
    with pytest.raises(SodkerasError, match=r"no such file.*missing\.jpg"):
        read_picture(tmp_path / "missing.jpg")
    with pytest.raises(SodkerasError, match="Cannot read"):
        read_picture(tmp_path)


def test_find_pictures_in_files_folders_and_globs(tmp_path):
    for name in ("b.JPG", "a.png", "note.txt", ".hidden.png", "sub/c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    names = [path.name for path in find_pictures([tmp_path])]
    assert names == ["a.png", "b.JPG"]
    assert [path.name for path in find_pictures([f"{tmp_path}/**/*"])] == ["a.png", "b.JPG", "c.webp"]
    assert [path.name for path in find_pictures([tmp_path / "a.png", tmp_path])] == ["a.png", "b.JPG"]
    assert find_pictures(["missing.jpg"])[0].name == "missing.jpg"
    (tmp_path / "none").mkdir()
    with pytest.raises(SodkerasError, match=r"no pictures.*none"):
        find_pictures([tmp_path / "none"])
    with pytest.raises(SodkerasError, match="No picture matches"):
        find_pictures([f"{tmp_path}/*.gif"])


def test_a_file_name_with_brackets_is_a_file_not_a_glob(tmp_path):
    path = tmp_path / "photo [1].png"
    path.write_bytes(encode_png(RGB))
    assert find_pictures([str(path)]) == [path]


def test_written_png_round_trips_and_a_failed_write_leaves_nothing(tmp_path):
    rgba = np.dstack([RGB, RGB[..., 0]])
    write_png(tmp_path / "new" / "a.png", rgba)
    stored = cv2.imread(str(tmp_path / "new" / "a.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(cv2.cvtColor(stored, cv2.COLOR_BGRA2RGBA), rgba)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SodkerasError, match="Cannot write"):
        write_png(tmp_path / "file" / "a.png", RGB)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.png", "file", "new"]


def test_grey_map_is_rounded_and_never_stretched():
    np.testing.assert_array_equal(grey(np.float32([[0, 0.25, 0.5, 1]])), [[0, 64, 128, 255]])


def test_overlay_leaves_nothing_of_the_tint_where_nothing_is_salient():
    picture = RNG.integers(0, 256, (600, 5, 3), np.uint8)
    background = overlay(picture, np.zeros((600, 5), np.float32))
    assert (np.ptp(background.astype(int), axis=2) == 0).all()
    everything = overlay(picture, np.ones((600, 5), np.float32), colour=(255, 64, 0), strength=1.0)
    np.testing.assert_array_equal(everything, np.broadcast_to(np.uint8([255, 64, 0]), picture.shape))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["x/a.jpg", "x/b.jpg"], ["a", "b"]),
        (["x/a.jpg", "x/a.png", "x/b.jpg"], ["a_jpg", "a_png", "b"]),
        (["x/a.jpg", "x_a.jpg", "y/a.jpg"], ["x_a_jpg", "x_a", "y_a_jpg"]),
        (["v.1/x.jpg", "v_1/x.jpg"], ["v.1_x_jpg", "v_1_x_jpg"]),
        (["p/x/a.jpg", "q/x/a.jpg", "b.png"], ["p_x_a_jpg", "q_x_a_jpg", "b"]),
        (["x/A.jpg", "y/a.jpg"], ["x_A_jpg", "y_a_jpg"]),  # one name on Windows and macOS
    ],
)
def test_results_have_names_of_their_own(paths, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert list(output_stems([pathlib.Path(path) for path in paths]).values()) == names


def test_any_number_of_equal_paths_gets_as_many_names():
    rng = np.random.default_rng(0)
    parts = ["a", "b", "a_b", "a.b", "A", "a_jpg"]
    for _ in range(200):
        paths = {
            pathlib.Path(*rng.choice(parts, rng.integers(1, 4)), f"{rng.choice(parts)}.{rng.choice(['jpg', 'png'])}")
            for _ in range(12)
        }
        names = [name.casefold() for name in output_stems(sorted(paths)).values()]
        assert len(set(names)) == len(paths)
