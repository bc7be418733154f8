"""Conversion: every numerics runs, carries its metadata, and fails cleanly."""

import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from helpers import photo, tiny_model, write_photo
from sodkeras import Predictor, SodkerasError
from sodkeras.errors import UsageError
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime
from sodkeras.tflite.benchmark import COLUMNS, benchmark_file
from sodkeras.tflite.convert import convert
from sodkeras.tflite.numerics import ALIASES, NUMERICS, resolve
from sodkeras.tflite.verify import TOLERANCES, compare


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
    assert kinds == {np.int8 if numerics == "static_wi8_ai8" else np.float32}


@pytest.mark.parametrize("numerics", NUMERICS)
def test_metadata_is_in_the_file_and_beside_it(model, converted, numerics):
    path = converted[numerics]
    inside, beside = LiteRTRuntime(path).metadata, json.loads(path.with_suffix(".json").read_text())
    assert inside == {name: beside[name] for name in inside}
    assert inside["name"] == "tiny" and inside["numerics"] == numerics
    assert inside["preprocessing"] == model.preprocessing.to_dict()
    assert inside["calibration_pictures"] == (4 if numerics == "static_wi8_ai8" else 0)
    assert beside["input_tensor"]["shape"] == [1, 32, 48, 3]
    assert (beside["input_tensor"]["scale"] > 0) == (numerics == "static_wi8_ai8")


def test_the_numerics_are_those_of_the_tensors_in_the_file(converted):
    kinds = {}
    for numerics, path in converted.items():
        interpreter = Interpreter(
            str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        kinds[numerics] = {details["dtype"] for details in interpreter.get_tensor_details()}
    assert np.float16 in kinds["float16"] and np.float16 not in kinds["float32"]
    assert np.int8 in kinds["static_wi8_ai8"] and np.float32 not in kinds["static_wi8_ai8"]


def test_a_benchmark_row_has_every_column(converted):
    row = benchmark_file(converted["float32"], photo(), runs=3, warmup=1)
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


def test_a_source_that_is_no_model_is_one_sentence(tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(SodkerasError, match=r"not a \.keras model.*text\.keras"):
        convert(tmp_path / "text.keras", tmp_path)


def test_a_converted_model_predicts_like_any_other(converted):
    assert Predictor(str(converted["static_wi8_ai8"]), threads=1)(photo()).shape == (60, 80)
