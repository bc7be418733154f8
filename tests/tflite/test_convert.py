"""Conversion: every numerics runs, carries its metadata, and fails cleanly."""

import json

import cv2
import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.schema_py_generated import Model

from helpers import photo, tiny_model, write_photo
from sodkeras import Predictor, Preprocessing, SodkerasError
from sodkeras.errors import UsageError
from sodkeras.layers import ResizeLike
from sodkeras.models import InferenceModel
from sodkeras.pictures import example_pictures, read_picture
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.check.agreement import TOLERANCES, compare
from sodkeras.tflite.check.census import take_census
from sodkeras.tflite.convert import convert
from sodkeras.tflite.numerics import ALIASES, NUMERICS, interfaces, resolve
from sodkeras.tflite.timing.benchmark import COLUMNS, benchmark


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(4):
        write_photo(folder / f"{seed}.png", seed=seed)
    return folder


@pytest.fixture(scope="module")
def converted(model, photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    weights = [weight.copy() for weight in model.get_weights()]
    paths = convert(model, folder, ["int8", *NUMERICS], calibration=photos)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)  # the caller's model is not touched
    return dict(zip(["static_wi8_ai8", *(name for name in NUMERICS if name != "static_wi8_ai8")], paths, strict=True))


@pytest.mark.parametrize("numerics", NUMERICS)
def test_every_numerics_agrees_with_keras(model, converted, numerics):
    path = converted[numerics]
    assert path.name == f"tiny-32x48-{numerics}.tflite"
    runtime = LiteRTRuntime(path)
    found = compare(KerasRuntime(model), runtime, [(seed, photo(seed=seed)) for seed in range(4)])
    assert found.violations(TOLERANCES[numerics]) == [], found.summary()
    kinds = {details["dtype"] for details in runtime.interpreter.get_input_details()}
    assert kinds == {np.dtype(interfaces(numerics)[0]).type}
    # What the file says is of pictures that it was not calibrated with.
    parity = runtime.metadata["parity"]
    found = compare(KerasRuntime(model), runtime, [(path, read_picture(path)) for path in example_pictures()])
    assert parity["pictures"] == 4 and not parity["mirrored"]
    assert parity["problems"] == [] and parity["largest"] == pytest.approx(found.summary()["largest"], rel=1e-3)


@pytest.mark.parametrize("numerics", NUMERICS)
def test_metadata_is_in_the_file_and_beside_it(model, converted, numerics):
    path = converted[numerics]
    inside, beside = LiteRTRuntime(path).metadata, json.loads(path.with_suffix(".json").read_text())
    assert inside == beside
    assert inside["name"] == "tiny" and inside["preset"] is None and inside["numerics"] == numerics
    assert inside["preprocessing"] == model.preprocessing.to_dict() and inside["normalisation_inside"] is None
    assert set(inside["versions"]) == {"sodkeras", "tensorflow", "keras", "ai_edge_litert"}
    if numerics.startswith("static"):
        assert inside["calibration"]["pictures"] == inside["calibration"]["of"] == 4
        assert len(inside["calibration"]["folders"]) == 1 and "/" not in inside["calibration"]["folders"][0]
    else:
        assert inside["calibration"] is None
    assert beside["input_tensor"]["shape"] == [1, 32, 48, 3]
    assert (beside["input_tensor"]["scale"] > 0) == numerics.startswith("static")


def test_the_numerics_are_those_of_the_tensors_in_the_file(converted):
    kinds = {}
    for numerics, path in converted.items():
        interpreter = Interpreter(
            str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        kinds[numerics] = {details["dtype"] for details in interpreter.get_tensor_details()}
    assert np.float16 in kinds["float16"] and np.float16 not in kinds["float32"]
    assert np.int8 in kinds["static_wi8_ai8"] and np.float32 not in kinds["static_wi8_ai8"]
    assert np.int16 in kinds["static_wi8_ai16"] and np.float32 not in kinds["static_wi8_ai16"]


def test_a_benchmark_row_has_every_column(converted):
    row = benchmark(converted["float32"], [photo()], runs=3, warmup=1)
    assert set(COLUMNS) <= set(row)
    assert row["runs"] == 3 and row["model"] == "tiny" and row["numerics"] == "float32" and row["size"] == "32x48"
    assert 0 < row["inference_median_ms"] <= row["inference_p90_ms"]
    assert row["total_median_ms"] >= row["inference_median_ms"]
    assert 0 < row["delegated"] <= row["operators"] and row["partitions"] >= 1
    assert 10 < row["peak_memory_mb"] < 4000


def test_aliases_resolve_once_and_in_order():
    assert resolve(["int8", "float", "float32"]) == ["static_wi8_ai8", "float32"]
    assert set(ALIASES.values()) <= set(NUMERICS)
    for names in ([], ["int7"]):
        with pytest.raises(UsageError, match=r"Received: (none|int7)"):
            resolve(names)


@pytest.fixture(scope="module")
def resizing():
    """A network that ends in a resize, as U2Net does not."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 48, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.Conv2D(1, 3, padding="same")(x)
    saliency = keras.layers.Activation("sigmoid")(ResizeLike()(x, inputs))
    return InferenceModel(inputs, saliency, preprocessing=Preprocessing((32, 48)), name="resizing")


def test_what_is_inside_the_graph_is_a_choice_and_the_maps_stay(resizing, photos, tmp_path):
    everything = ("normalisation", "resize", "sigmoid")
    made = [
        *convert(resizing, tmp_path, ["float32", "int8"], photos, inside=everything, interface="uint8"),
        *convert(resizing, tmp_path, ["float32", "int8"], photos, inside=()),
    ]
    assert [path.stem.split("-", 2)[2] for path in made] == [
        "float32-rgb",
        "static_wi8_ai8-rgb-uint8",
        "float32-unresized-logits",
        "static_wi8_ai8-unresized-logits",
    ]
    source, picture = KerasRuntime(resizing), photo()
    for path in made:
        runtime = LiteRTRuntime(path)
        found = compare(source, runtime, [(seed, photo(seed=seed)) for seed in range(3)])
        assert found.violations(TOLERANCES[runtime.numerics]) == [], found.summary()
        assert found.summary()["worst_mae"] < (1e-6 if runtime.numerics == "float32" else 0.005)
        assert take_census(runtime.interpreter).problems() == []
        assert Predictor(str(path))(picture).shape == picture.shape[:2]
    # What an app has to do: nothing but resize the picture, and everything.
    network_input = LiteRTRuntime(made[1]).interpreter.get_input_details()[0]
    assert network_input["dtype"] == np.uint8 and network_input["quantization"] == (1.0, 0)
    small = cv2.resize(picture, (48, 32))
    np.testing.assert_array_equal(LiteRTRuntime(made[0]).preprocessing(picture)[0], small.astype("float32"))
    outside = LiteRTRuntime(made[2])
    assert outside.metadata["output_tensor"]["shape"] == [1, 16, 24, 1]
    assert outside.metadata["output_values"] == "logits"


def test_choices_that_cannot_be_are_refused(resizing, model, photos, tmp_path):
    for arguments, received in (
        ({"inside": ["sofa"]}, "sofa"),
        ({"numerics": ["int8"], "interface": "int16"}, "int16"),
        ({"numerics": ["int16"], "interface": "uint8"}, "uint8"),
    ):
        with pytest.raises(UsageError, match=f"Received: {received}"):
            convert(resizing, tmp_path, calibration=photos, **arguments)
    with pytest.raises(SodkerasError, match="does not end in a bilinear resize"):
        convert(model, tmp_path, inside=["sigmoid"])
    assert list(tmp_path.iterdir()) == []


def test_layers_that_only_float_has_are_float_and_leave_one_partition(photos, tmp_path):
    inputs = keras.Input((33, 48, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(inputs)
    x = keras.layers.ReLU()(keras.layers.GroupNormalization(4, name="norm")(x))
    x = keras.layers.AveragePooling2D(2, padding="same", name="pool")(x)  # its windows reach over the edge
    x = ResizeLike()(keras.layers.Conv2D(1, 3, padding="same")(x), inputs)
    saliency = keras.layers.Activation("sigmoid")(x)
    model = InferenceModel(inputs, saliency, preprocessing=Preprocessing((33, 48)), name="mixed")
    runtime = LiteRTRuntime(convert(model, tmp_path, ["int8"], photos)[0])
    assert runtime.metadata["float_layers"] == ["norm", "pool"]
    assert take_census(runtime.interpreter).problems() == []


def test_a_float16_file_allows_half_precision_only_where_the_network_bears_it(converted, photos, tmp_path):
    def allows(path):
        model = Model.GetRootAs(path.read_bytes(), 0)
        entries = {model.Metadata(i).Name(): model.Metadata(i).Buffer() for i in range(model.MetadataLength())}
        return b"fp16accfp16" in model.Buffers(entries[b"reduced_precision_support"]).DataAsNumpy().tobytes()

    assert allows(converted["float16"])
    tried = LiteRTRuntime(converted["float16"]).metadata["half_precision"]
    assert tried["problems"] == [] and 0 < tried["worst_mae"] < 0.01
    inputs = keras.Input((32, 48, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    # Seventy thousand is infinite in half precision.
    x = keras.layers.Conv2D(1, 1, name="large", bias_initializer=keras.initializers.Constant(7e4))(x)
    x = keras.layers.Conv2D(1, 1, kernel_initializer="ones", bias_initializer=keras.initializers.Constant(-7e4))(x)
    model = InferenceModel(
        inputs, keras.layers.Activation("sigmoid")(x), preprocessing=Preprocessing((32, 48)), name="large"
    )
    (path,) = convert(model, tmp_path, ["float16"], photos)
    assert not allows(path)
    metadata = LiteRTRuntime(path).metadata
    assert metadata["half_precision"]["problems"] and metadata["parity"]["pictures"] == 8


def test_integer_activations_without_pictures_are_refused_before_any_work(model, tmp_path):
    with pytest.raises(SodkerasError, match="--calibrate"):
        convert(model, tmp_path, ["int8"])
    assert list(tmp_path.iterdir()) == []


def test_a_bad_calibration_picture_is_named_and_nothing_is_left(model, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    write_photo(pictures / "good.png")
    (pictures / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(SodkerasError, match=r"bad\.jpg"):
        convert(model, tmp_path / "out", ["float32", "int8"], calibration=pictures)
    assert not (tmp_path / "out").exists()


@pytest.mark.process
def test_a_conversion_has_a_process_of_its_own(model, converted, tmp_path, capfd):
    (path,) = convert(model, tmp_path, ["float32"])
    assert path.read_bytes() == converted["float32"].read_bytes()
    _, error = capfd.readouterr()
    assert "converting tiny: tracing at 32x48" in error and "WARNING" not in error


@pytest.mark.process
def test_a_source_that_is_no_model_is_one_sentence(tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(SodkerasError, match=r"no(t a|) \.keras.*text\.keras"):
        convert(tmp_path / "text.keras", tmp_path)


def test_a_converted_model_predicts_like_any_other(converted):
    assert Predictor(str(converted["static_wi8_ai8"]), threads=1)(photo()).shape == (60, 80)
