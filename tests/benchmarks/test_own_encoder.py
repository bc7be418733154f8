"""An encoder takes the weights of a detector's file, and computes what the detector does."""

import io
import os
import pathlib
import runpy
import tarfile

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from helpers import photo
from sodkeras.backbones import MobileNetV2
from sodkeras.preprocessing import Preprocessing

SCRIPT = runpy.run_path(str(pathlib.Path(__file__).parent.parent.parent / "benchmarks" / "own_encoder.py"))
STAGES = [[1, 4, 1, 1], [2, 6, 2, 2], [2, 8, 1, 2]]


def detector(folder):
    """A MobileNetV2 with one stage more, whose batch norms do something, as a file of half precision."""
    keras.utils.set_random_seed(1)
    backbone = MobileNetV2(padding="same", stages=[*STAGES, [2, 8, 1, 1]], stem_filters=8, input_shape=(64, 64, 3))
    for layer in backbone._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma + 0.1 * np.arange(gamma.size), beta + 0.3, mean - 0.2, variance * 2])
    keras.Model(backbone.input, list(backbone.output.values())[-1]).export(str(folder / "saved"), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    converter.optimizations, converter.target_spec.supported_types = [tf.lite.Optimize.DEFAULT], [tf.float16]
    return converter.convert()


def test_an_encoder_computes_what_the_detector_does(tmp_path):
    interpreter = Interpreter(model_content=detector(tmp_path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    keras.utils.set_random_seed(2)
    backbone = MobileNetV2(padding="same", stages=STAGES, stem_filters=8, input_shape=(64, 64, 3))
    pictures = [Preprocessing(size=(64, 64))(photo(seed=seed)) for seed in (0, 1)]
    name = "mobilenet_v2_ir3_0_project"
    last = SCRIPT["fill"](backbone, SCRIPT["convolutions"](interpreter))
    assert last[0] == name
    assert SCRIPT["difference"](backbone, interpreter, *last, pictures) < 1e-3
    layer = backbone.get_layer(name)
    layer.conv.kernel.assign(1.1 * layer.conv.kernel)
    assert SCRIPT["difference"](backbone, interpreter, *last, pictures) > 0.02


def test_the_detector_is_taken_out_of_what_npm_packs(tmp_path, monkeypatch):
    content = b"names of things\x1c\x00\x00\x00TFL3 and what follows"
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("package/objectron_solution_packed_assets.data")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    npm = tmp_path / "npm"
    npm.write_text(f'#!/bin/sh\ntest "$1 $3" = "pack some@1" && cp "{tmp_path}/made.tgz" . && echo made.tgz\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert SCRIPT["detector"]("some@1") == content[15:]
