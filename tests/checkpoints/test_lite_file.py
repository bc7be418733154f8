"""Convolutions out of a `.tflite` file: a backbone that has them computes what the file does."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from sodkeras.backbones import MobileNetV2
from sodkeras.checkpoints import imagenet
from sodkeras.checkpoints.lite_file import read_convolutions
from sodkeras.errors import SodkerasError
from sodkeras.models import DNL
from sodkeras.preprocessing import Preprocessing
from sodkeras.tflite.private import operators

STAGES = [[1, 4, 1, 1], [2, 6, 2, 2], [2, 8, 1, 2]]


def pictures(count=8):
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (1, 32, 32, 3)).astype("float32") for _ in range(count)]


def backbone(stages=STAGES):
    return MobileNetV2(padding="same", stages=stages, stem_filters=8, input_shape=(32, 32, 3))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function from numerics to a file of a MobileNetV2 with one stage more, whose batch norms do something."""
    folder = tmp_path_factory.mktemp("exported")
    keras.utils.set_random_seed(1)
    model = backbone([*STAGES, [2, 8, 1, 1]])
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma + 0.1 * np.arange(gamma.size), beta + 0.3, mean - 0.2, variance * 2])
    keras.Model(model.input, list(model.output.values())[-1]).export(str(folder / "saved"), verbose=False)

    def export(numerics):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
        if numerics != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if numerics == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if numerics == "int8":
            converter.representative_dataset = lambda: ([picture] for picture in pictures())
        path = folder / f"{numerics}.tflite"
        path.write_bytes(converter.convert())
        return path

    return export


@pytest.mark.parametrize(("numerics", "tolerance"), [("float32", 1e-5), ("float16", 2e-3), ("int8", 0.05)])
def test_a_backbone_computes_what_the_file_does(exported, numerics, tolerance):
    path = exported(numerics)
    interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    convolutions = [op for op in operators(interpreter) if op["op_name"].endswith("CONV_2D")]
    model = backbone()
    report = imagenet.load(model, path)
    assert report.folded and not report.left
    assert report.unused == tuple(f"convolution {number}" for number in range(12, 15))
    ours = keras.Model(model.input, model.get_layer("mobilenet_v2_ir3_0_project").output)
    theirs = convolutions[11]["outputs"][0]
    details = next(tensor for tensor in interpreter.get_tensor_details() if tensor["index"] == theirs)
    for picture in pictures(3):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
        interpreter.invoke()
        expected = interpreter.get_tensor(theirs)
        if numerics == "int8":
            scale, zero = details["quantization"]
            expected = (expected.astype(np.float32) - zero) * scale
        found = np.array(ours(picture))
        assert np.abs(found - expected).mean() <= tolerance * np.abs(expected).mean()


def test_a_network_of_another_kind_is_refused(exported, tmp_path):
    path = exported("float32")
    with pytest.raises(SodkerasError, match="padding='same'"):
        imagenet.load(DNL((), stages=STAGES, stem_filters=8), path)
    with pytest.raises(SodkerasError, match=r"standard_deviation \(0\.5"):
        imagenet.load(DNL((), stages=STAGES, stem_filters=8, padding="same"), path)
    with pytest.raises(SodkerasError, match=r"no MobileNetV2 of 18 convolutions\. Received: 15"):
        imagenet.load(backbone([*STAGES, [2, 8, 2, 1]]), path)
    with pytest.raises(SodkerasError, match="should be"):
        imagenet.load(backbone([[1, 6, 1, 1], *STAGES[1:]]), path)
    content = path.read_bytes()
    for number, bad in enumerate([b"no network", content[:200], content[: len(content) // 2], b"\0" * 300]):
        (tmp_path / f"{number}.tflite").write_bytes(bad)
        with pytest.raises(SodkerasError, match="no LiteRT network"):
            read_convolutions(tmp_path / f"{number}.tflite")


@pytest.mark.reference
def test_imagenets_encoder_knows_imagenets_features(reference):
    """The published 8-bit file: our float features at its deepest convolution are its own, but for its rounding."""
    path = reference / "reference/weights/mobilenet_v2_1.0_224_quant.tflite"
    interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    model = MobileNetV2(padding="same", input_shape=(224, 224, 3))
    imagenet.load(model, path)
    found = [op["outputs"][0] for op in operators(interpreter) if op["op_name"].endswith("CONV_2D")][50]
    scale, zero = next(t["quantization"] for t in interpreter.get_tensor_details() if t["index"] == found)
    from sodkeras.pictures import find_pictures, read_picture

    photo = read_picture(find_pictures([reference / "data/duts_tr/DUTS-TR-Image"])[0])
    prepared = Preprocessing((224, 224), (0.5,) * 3, (0.5,) * 3)(photo)
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], np.rint(prepared * 127.5 + 127.5).astype(np.uint8)
    )
    interpreter.invoke()
    expected = (interpreter.get_tensor(found).astype(np.float32) - zero) * scale
    ours = np.array(model(prepared)["ir7"])
    assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.97
