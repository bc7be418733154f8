"""A file is as small as it can be, and computes to the bit what it did."""

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from helpers import photo, tiny_model, write_photo
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite import private
from sodkeras.tflite.convert import convert
from sodkeras.tflite.file.compact import compact


def test_equal_vectors_are_there_once_and_maps_are_the_same_to_the_bit(tmp_path):
    photos = [write_photo(tmp_path / f"{seed}.png", seed=seed) for seed in range(2)]
    (path,) = convert(tiny_model(), tmp_path, ["int8"], calibration=photos)
    small = path.read_bytes()
    model = private.parse(small)
    # TensorFlow's own writer writes out what is shared.
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(private.pack(model))
    assert len(small) < 0.9 * plain.stat().st_size
    runtimes = [LiteRTRuntime(path), LiteRTRuntime(plain)]
    maps = [runtime(runtime.preprocessing(photo())) for runtime in runtimes]
    np.testing.assert_array_equal(*maps)
    again = private.parse(compact(model))
    for graph, same in zip(model.subgraphs, again.subgraphs, strict=True):
        for tensor, twin in zip(graph.tensors, same.tensors, strict=True):
            assert tensor.name == twin.name and tensor.buffer == twin.buffer
            if tensor.quantization is not None and tensor.quantization.zeroPoint is not None:
                np.testing.assert_array_equal(tensor.quantization.zeroPoint, twin.quantization.zeroPoint)


def test_weights_lie_where_they_can_be_read_and_tensors_have_short_names(small_file):
    content = small_file.read_bytes()
    model = private.parse(content)
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) > 100:
            assert content.index(buffer.data.tobytes()) % 16 == 0
    names = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    assert not any(";" in name or name.count("/") > 1 for name in names)


def test_inputs_and_outputs_keep_their_names(tmp_path):
    inputs = keras.Input((8, 8, 3), batch_size=1)
    outputs = keras.layers.Conv2D(1, 3, activation="sigmoid", name="last")(inputs)
    export = keras.Model(inputs, outputs)
    export.export(str(tmp_path / "saved"), verbose=False)
    content = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert()
    details = []
    for version in (content, compact(private.parse(content))):
        interpreter = Interpreter(model_content=bytes(version))
        details.append([end["name"] for end in interpreter.get_input_details() + interpreter.get_output_details()])
        assert interpreter.get_signature_list()
    assert details[0] == details[1] and len(details[0]) == 2
