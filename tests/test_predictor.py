"""One class, any picture, Keras or LiteRT: the same kind of answer."""

import io
import subprocess
import sys
import time

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from helpers import photo, tiny_model, write_photo
from sodkeras import Predictor, SodkerasError
from sodkeras.pictures import read_photo
from sodkeras.tflite.convert import convert
from sodkeras.weights import load_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """The model as a training and an inference `.keras` file, and as a float `.tflite` file."""
    folder = tmp_path_factory.mktemp("models")
    model.save(folder / "training.keras")
    model.inference_model().save(folder / "inference.keras")
    convert(model, folder)
    return sorted(folder.glob("*.keras")) + sorted(folder.glob("*.tflite"))


def test_keras_files_and_tflite_give_the_map_of_the_model(model, files):
    picture = photo()
    batch = model.preprocessing(picture)
    expected = keras.ops.convert_to_numpy(model.inference_model()(batch))[0, ..., 0]
    expected = cv2.resize(expected, (80, 60), interpolation=cv2.INTER_LINEAR)
    assert np.ptp(expected) > 0.1
    assert [path.suffix for path in files] == [".keras", ".keras", ".tflite"]
    for source in (model, model.inference_model(), *files):
        predictor = Predictor(source)
        assert predictor.preprocessing == model.preprocessing
        assert predictor.runtime.name == "tiny"
        saliency_map = predictor(picture)
        assert saliency_map.dtype == np.float32 and saliency_map.shape == (60, 80)
        np.testing.assert_allclose(saliency_map, expected, atol=1e-5)


def test_a_networks_name_needs_no_tensorflow():
    """As on a board: the file that is best for phones is run, by LiteRT."""
    program = """if True:
        import sys

        for name in ("tensorflow", "keras"):
            sys.modules[name] = None  # importing it is an error
        import numpy as np
        from sodkeras import Predictor

        for name, numerics in (("u2netp", "static_wi8_ai8"), ("csnet_l_x1", "float16")):
            predictor = Predictor(name)
            assert (predictor.runtime.name, predictor.runtime.numerics) == (name, numerics)
            assert predictor(np.zeros((60, 80, 3), np.uint8)).shape == (60, 80)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_a_networks_keras_file_has_a_name_of_its_own():
    by_name, by_model = Predictor("csnet_l_x1_keras"), Predictor(load_model("csnet_l_x1"))
    assert by_name.runtime.numerics == "float32"
    np.testing.assert_array_equal(by_name(photo()), by_model(photo()))


def test_answers_in_kind(files, tmp_path):
    predictor = Predictor(files[-1])
    path = write_photo(tmp_path / "photo.png")
    picture = photo()
    saliency_map = predictor(picture)
    np.testing.assert_array_equal(predictor(path), saliency_map)
    grey = np.round(saliency_map * 255).astype(np.uint8)
    image = predictor(Image.open(path))
    assert image.mode == "L" and np.abs(np.asarray(image).astype(int) - grey).max() <= 1
    png = Image.open(io.BytesIO(predictor(path.read_bytes())))
    assert png.mode == "L" and np.array_equal(np.asarray(png), np.asarray(image))
    assert predictor(picture, "overlay").shape == (60, 80, 3)
    assert predictor(Image.open(path), "cutout").mode == "RGBA"
    raw = predictor(Image.open(path), "cutout", edges="raw")
    np.testing.assert_array_equal(np.asarray(raw)[..., :3], picture)
    assert predictor(picture, "cutout", background="white", crop=0.1).shape[2] == 3
    for background in (path, str(path)):
        assert predictor(picture, "cutout", background=background, mask_threshold=0.5).shape == picture.shape
    with pytest.raises(ValueError, match=r"background, crop: these are for a cutout\. Received: 'map'"):
        predictor(picture, background="white", crop=0.1)
    with pytest.raises(ValueError, match="mask"):
        predictor(picture, "mask")


def test_one_pixel_and_a_narrow_strip_work(files):
    predictor = Predictor(files[-1])
    for size in ((1, 1), (1, 500), (500, 2)):
        saliency_map = predictor(photo(*size))
        assert saliency_map.shape == size and 0 <= saliency_map.min() <= saliency_map.max() <= 1


def test_stream_goes_on_past_bad_files_and_never_reads_far_ahead(files, tmp_path):
    paths = [write_photo(tmp_path / f"{index}.png", seed=index) for index in range(6)]
    paths[2].write_bytes(b"")
    taken = []
    predictor = Predictor(files[-1])

    def feed():
        for path in paths:
            taken.append(path)
            yield path

    done = []
    for image, found, result in predictor.stream(feed(), ahead=2):
        done.append(image)
        assert len(taken) <= len(done) + 2
        if image == paths[2]:
            assert found is None and isinstance(result, SodkerasError)
        else:
            np.testing.assert_array_equal(result, predictor(image))
    assert done == paths


def test_large_pictures_are_not_read_ahead(files, tmp_path, monkeypatch):
    paths = [write_photo(tmp_path / f"{index}.png", seed=index) for index in range(5)]
    paths[1].write_bytes(b"no picture")
    monkeypatch.setattr("sodkeras.predictor._PIXELS_AHEAD", 60 * 80 + 1)  # one of them fits
    decoded = []

    def read(source, announce):
        photo = read_photo(source, announce)
        decoded.append(source)
        return photo

    monkeypatch.setattr("sodkeras.predictor.read_photo", read)
    for number, (path, found, _) in enumerate(Predictor(files[-1]).stream(paths)):
        time.sleep(0.05)  # for the reader to go too far
        assert path == paths[number]
        # Beside a file that is no picture there is room for the next.
        assert decoded == (
            [*paths[:1], paths[2]] if found is None else [one for one in paths[: number + 1] if one != paths[1]]
        )
    with pytest.raises(ValueError, match="-1"):
        next(Predictor(files[-1]).stream(paths, ahead=-1))
    stopped = Predictor(files[-1]).stream(paths)
    next(stopped)
    stopped.close()  # while the next one waits for room


def test_a_stream_that_is_kept_does_not_keep_a_program(files):
    program = f"""if True:
        import numpy as np
        import sodkeras.predictor as module
        from sodkeras.pictures import encode_png

        module._PIXELS_AHEAD = 1
        stream = module.Predictor({str(files[-1])!r}).stream([encode_png(np.zeros((60, 80, 3), np.uint8))] * 5)
        next(stream)
    """
    assert subprocess.run([sys.executable, "-c", program], timeout=120, check=False).returncode == 0


def test_errors_of_a_stream_keep_no_pictures(files, tmp_path):
    class Broken(io.BytesIO):
        def read(self):
            raise KeyError("not an error of ours")

    whole = cv2.imencode(".jpg", np.zeros((600, 800, 3), np.uint8) + 200)[1].tobytes()
    cut = whole[: len(whole) // 2] + b"\xff\xd9"
    found = list(Predictor(files[-1]).stream([Broken(), cut, photo()]))
    assert [each is None for _, each, _ in found] == [True, True, False]
    assert isinstance(found[0][2], KeyError) and "cut off" in str(found[1][2])
    for _, _, error in found[:2]:
        assert error.__traceback__ is None and error.__context__ is None


def test_what_cannot_be_computed_ends_one_picture(files, tmp_path, monkeypatch):
    paths = [write_photo(tmp_path / f"{index}.png") for index in range(3)]
    predictor, errors = Predictor(files[-1]), iter([MemoryError(), cv2.error("no memory"), None])

    def predict(self, picture):
        if error := next(errors):
            raise error
        return "a map"

    monkeypatch.setattr(Predictor, "predict", predict)
    found = [(read is None, result) for _, read, result in predictor.stream(paths)]
    assert [failed for failed, _ in found] == [True, True, False] and found[2][1] == "a map"


def test_a_result_says_what_its_photo_says(files):
    buffer = io.BytesIO()
    Image.fromarray(photo()).save(buffer, "JPEG", dpi=(300, 300))
    predictor = Predictor(files[-1])
    buffer.seek(0)
    content = predictor(buffer, "cutout")
    for result in (Image.open(io.BytesIO(content)), predictor(Image.open(buffer), "cutout")):
        assert result.mode == "RGBA" and round(result.info["dpi"][0]) == 300


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.tflite", None, "no such file"),
        ("empty.tflite", b"", "empty"),
        ("text.tflite", b"this is not a model", r"not a \.tflite"),
        ("cut.tflite", b"\x1c\0\0\0TFL3" + bytes(64), "LiteRT cannot load"),
        ("missing.keras", None, "no such file"),
        ("text.keras", b"this is not a model", r"not a \.keras"),
        ("u2netpp", None, "u2netp"),
    ],
)
def test_a_model_that_is_none(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SodkerasError, match=says):
        Predictor(path if path.suffix else name)


def test_models_that_were_not_made_here_are_refused(tmp_path):
    foreign = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(1, 1)])
    foreign.save(tmp_path / "foreign.keras")
    with pytest.raises(SodkerasError, match="none of sodkeras"):
        Predictor(tmp_path / "foreign.keras")
    with pytest.raises(SodkerasError, match="not a saliency model"):
        Predictor(foreign)
    import tensorflow as tf

    (tmp_path / "foreign.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(foreign).convert())
    with pytest.raises(SodkerasError, match=r"sodkeras convert.*foreign\.tflite"):
        Predictor(tmp_path / "foreign.tflite")


@pytest.mark.reference
def test_released_u2netp_gives_the_authors_own_maps(reference):
    """Picture to picture, against the PNGs the authors published; their min–max stretch for the comparison only."""
    from sodkeras.checkpoints import import_file

    predictor = Predictor(import_file(reference / "reference/weights/u2netp.onnx").model)
    folder = reference / "data/u2net_examples"
    photos = sorted((folder / "images").iterdir())
    assert len(photos) == 9
    for path in photos:
        saliency_map = predictor(path)
        stretched = (saliency_map - saliency_map.min()) / np.ptp(saliency_map)
        expected = cv2.imread(str(folder / "u2netp" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE) / 255
        assert np.abs(stretched - expected).mean() <= 0.01, path.name
