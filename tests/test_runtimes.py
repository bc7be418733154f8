"""Threads, processes, NaN and the ends of the range: what a runtime gives does not depend on who calls it."""

import concurrent.futures
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from helpers import photo, tiny_model
from sodkeras import Predictor, SodkerasError, weights
from sodkeras.lite_metadata import read_metadata
from sodkeras.runtimes import KerasRuntime, LiteRTRuntime, _dequantize
from sodkeras.tflite.convert import convert


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return convert(tiny_model(), tmp_path_factory.mktemp("runtimes"))[0]


def pictures(count=24):
    return [photo(height=40 + 3 * seed, width=64, seed=seed) for seed in range(count)]


@pytest.mark.parametrize("source", ["lite", "keras", "u2netp_int8"])
def test_threads_get_what_one_after_the_other_gives(file, source):
    predictor = Predictor({"lite": file, "keras": tiny_model()}.get(source, source), threads=1)
    some = pictures(8 if source == "u2netp_int8" else 24)
    expected = [predictor(picture) for picture in some]
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        for _ in range(1 if source == "u2netp_int8" else 4):
            for found, wanted in zip(executor.map(predictor, some), expected, strict=True):
                np.testing.assert_array_equal(found, wanted)


def test_streams_in_several_threads_do_not_mix(file):
    predictor, some = Predictor(file), pictures()
    expected = [predictor(picture) for picture in some]

    def stream(start):
        return [saliency_map for *_, saliency_map in predictor.stream(some[start:] + some[:start])]

    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        for start, found in zip(range(0, 24, 6), executor.map(stream, range(0, 24, 6)), strict=True):
            for saliency_map, wanted in zip(found, expected[start:] + expected[:start], strict=True):
                np.testing.assert_array_equal(saliency_map, wanted)


@pytest.mark.parametrize("source", ["lite", "keras"])
def test_a_predictor_pickles(file, source, recwarn):
    predictor = Predictor(file if source == "lite" else tiny_model())
    again = pickle.loads(pickle.dumps(predictor))
    assert again.runtime.name == predictor.runtime.name == "tiny"
    np.testing.assert_array_equal(again(photo()), predictor(photo()))
    assert not [warning for warning in recwarn if "optimizer" in str(warning.message)]


def test_a_spawned_process_takes_one(file):
    predictor = Predictor(file)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        np.testing.assert_array_equal(executor.submit(predictor, photo()).result(timeout=120), predictor(photo()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_forked_process_uses_a_lite_file_and_ends(file, threads):
    # In a process of its own: TensorFlow, which the tests have started, does not survive a fork.
    program = f"""
        import os, sys, numpy as np
        from sodkeras import Predictor
        predictor = Predictor({str(file)!r}, threads={threads})
        picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
        expected = predictor(picture)
        child = os.fork()
        if child == 0:
            sys.exit(0 if np.array_equal(predictor(picture), expected) else 3)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    program = [sys.executable, "-c", textwrap.dedent(program)]
    assert subprocess.run(program, timeout=120, check=False).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_is_told_that_keras_does_not_follow(monkeypatch):
    runtime = KerasRuntime(tiny_model())
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(SodkerasError, match=r"does not survive a fork.*spawn.*Received: process 1"):
        runtime(np.zeros((1, 32, 48, 3), np.float32))


@pytest.mark.parametrize("kind", ["keras", "lite"])
def test_a_network_that_gives_nan_is_an_error(tmp_path, kind, monkeypatch):
    model = tiny_model()
    if kind == "keras":
        model.get_layer("fusion_conv").kernel.assign(np.nan * model.get_layer("fusion_conv").kernel)
        predictor = Predictor(model)
    else:
        predictor = Predictor(convert(model, tmp_path)[0])
        interpreter = predictor.runtime.interpreter

        class Broken:
            def __getattr__(self, name):
                return getattr(interpreter, name)

            def get_tensor(self, index):
                return np.nan * interpreter.get_tensor(index)

        monkeypatch.setattr(LiteRTRuntime, "interpreter", Broken())
    with pytest.raises(SodkerasError, match=r"gives NaN.*Received: tiny"):
        predictor(photo())


@pytest.mark.parametrize("fault", [ValueError("Tensor data is null."), RuntimeError("Input tensor 12 lacks data")])
@pytest.mark.parametrize("call", ["invoke", "get_tensor"])
def test_a_network_that_litert_cannot_run_is_one_sentence(tmp_path, monkeypatch, call, fault):
    predictor = Predictor(convert(tiny_model(), tmp_path)[0])
    interpreter = predictor.runtime.interpreter

    class Broken:
        def __getattr__(self, name):
            def fail(*arguments):
                raise fault

            return fail if name == call else getattr(interpreter, name)

    monkeypatch.setattr(LiteRTRuntime, "interpreter", Broken())
    with pytest.raises(SodkerasError, match=rf"cannot run the network \({str(fault)[:10]}.*tflite"):
        predictor(photo())


def test_logits_that_are_said_to_be_a_map_are_an_error(tmp_path):
    (path,) = convert(tiny_model(), tmp_path, inside=("resize",))
    metadata = read_metadata(path.read_bytes(), path)
    assert Predictor(path)(photo()).max() <= 1
    runtime = LiteRTRuntime(path, metadata=metadata | {"output_values": "probabilities"})
    with pytest.raises(SodkerasError, match=r"in \[0, 1\].*logits.*values from"):
        runtime(runtime.preprocessing(photo()))


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -128), ("uint8", 0), ("int16", 0)])
def test_white_is_white_and_black_black(dtype, zero_point):
    """LiteRT's sigmoid has steps of 1/256 (1/32768 in 16 bits), and so ends short of 1."""
    largest = np.iinfo(dtype).max
    scale = 1 / (largest - zero_point + 1)
    details = {"quantization": (scale, zero_point), "dtype": np.dtype(dtype)}
    integers = np.array([zero_point, zero_point + 1, largest - 1, largest], dtype)
    values = _dequantize(integers, details, is_map=True)
    assert values.dtype == np.float32 and values[0] == 0 and values[-1] == 1
    assert np.array_equal(values, (integers.astype(np.float32) - zero_point) / np.float32(largest - zero_point))
    # Logits keep their steps, and so does a map that ends elsewhere.
    assert _dequantize(integers, details, is_map=False)[-1] < 1
    half = details | {"quantization": (scale / 2, zero_point)}
    assert _dequantize(integers, half, is_map=True)[-1] == np.float32(largest - zero_point) * np.float32(scale / 2)


def test_8_bit_networks_have_pixels_that_are_wholly_salient(examples):
    ours = [name for name in weights.file_names() if name.endswith("int8")]
    assert ours
    for name in ours:
        assert Predictor(name).runtime(Predictor(name).preprocessing(photo()))[0].max() <= 1
    grey = np.round(255 * Predictor("u2netp_int8")(examples / "coffee.jpg"))
    assert grey.max() == 255 and grey.min() == 0
