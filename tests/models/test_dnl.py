"""DNL: the reconstruction's parameters, its arguments, its promises as a network."""

import keras
import numpy as np
import pytest

import contract
from sodkeras import Preprocessing
from sodkeras.backbones import MobileNetV2
from sodkeras.layers import DepthwiseNonLocal
from sodkeras.models import DNL
from sodkeras.tflite.check.partitions import count_partitions
from sodkeras.tflite.private import operators

# Few layers: tracing the training step takes most of a test's time.
STAGES = ((1, 4, 1, 1), (2, 6, 1, 2), (2, 8, 1, 2), (2, 8, 2, 2), (2, 10, 1, 1))
TINY = {"stages": STAGES, "stem_filters": 4, "aspp_filters": 6, "low_level_filters": 4, "parts": 3}


def tiny_dnl(input_shape=(48, 48, 3), **arguments):
    keras.utils.set_random_seed(0)
    model = DNL(**TINY | arguments, input_shape=input_shape)
    for layer in model.layers:
        if layer.name.startswith("non_local"):  # away from the identity that it starts as
            layer.output_kernel.assign(0.2 * np.random.default_rng(0).normal(size=layer.output_kernel.shape))
    return model


@pytest.mark.parametrize(("positions", "parameters"), [((), 4_520_081), ((3, 4), 5_301_713)])
def test_parameters(positions, parameters):
    model = DNL(positions)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == parameters
    assert model.preprocessing == Preprocessing(size=(360, 360))


@pytest.fixture(scope="module")
def tiny():
    return tiny_dnl()


def test_contract(tiny, tmp_path):
    contract.check_outputs(tiny)
    contract.check_inference_model(tiny)
    contract.check_round_trip(tiny, tmp_path)
    contract.check_flattens(tiny)
    contract.check_costs(tiny)
    contract.check_backbone(tiny, MobileNetV2(8, stages=STAGES, stem_filters=4))


def test_learns():
    contract.check_learns(tiny_dnl())


def test_computes_in_bfloat16_with_float32_logits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = tiny_dnl()
        assert model.get_layer("non_local3_vertical").compute_dtype == "bfloat16"
        contract.check_outputs(model)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("size", [(1, 1), (23, 41)])
def test_the_baseline_takes_any_size(size):
    model = DNL(**TINY | {"positions": ()}, input_shape=(None, None, 3))
    assert model(np.zeros((1, *size, 3), np.float32))["saliency_logits"].shape == (1, *size, 1)


def test_every_open_choice_changes_the_network(tiny):
    picture = contract.pictures(tiny)
    base = np.array(tiny(picture)["saliency_logits"])
    choices = [
        {"positions": (3, 5)},
        {"parts": 1},
        {"directions": ("horizontal", "vertical")},
        {"latent_values": False},
        {"attention_scale": 0.2},
        {"dilate": False},
        {"low_level_before": False},
        {"head_kernel_size": 3},
        {"activation": None},
        {"padding": "same"},
        {"aspp_dilation_rates": (1, 2)},
    ]
    for choice in choices:
        model = tiny_dnl(**choice)
        assert type(model).from_config(model.get_config()).get_config() == model.get_config()
        assert np.abs(np.array(model(picture)["saliency_logits"]) - base).max() > 1e-6, choice


def test_frozen_batch_norm_is_that_of_the_backbone_alone(tiny):
    model = DNL.from_config(tiny.get_config() | {"freeze_batch_norm": True})
    left = [weight.path for weight in model.trainable_weights if "_bn/" in weight.path]
    assert left and not any("mobilenet" in path for path in left)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"positions": (3, 6)}, r"from 1 to 5. Received: \[6\]"),
        ({"parts": 4}, "must divide 6: 1, 2, 3, 6. Received: parts=4"),
        ({"input_shape": (None, None, 3)}, "fixed height and width"),
    ],
)
def test_arguments_that_make_no_network_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        tiny_dnl(**arguments)


def test_converts_to_float_and_int8(tiny, examples, tmp_path):
    runtime = contract.check_converts(tiny, examples, tmp_path)
    # Their products of matrices would run outside XNNPACK in 8 bits, and split the graph.
    modules = {layer.name for layer in tiny.layers if isinstance(layer, DepthwiseNonLocal)}
    assert modules and modules <= set(runtime.metadata["float_layers"])
    assert count_partitions(runtime.interpreter).partitions == 1
    # What computes in float there has its kernels in 8 bits nevertheless: three each, and one that is alike in all.
    shapes = {tensor["index"]: tensor["shape"] for tensor in runtime.interpreter.get_tensor_details()}
    names = [node["op_name"] for node in operators(runtime.interpreter) if len(shapes[node["inputs"][0]]) == 3]
    assert names.count("DEQUANTIZE") == 3 * len(modules) + 1
