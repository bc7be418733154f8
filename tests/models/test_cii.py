"""CII: the released code's parameters and logits, any size, every row of the paper's ablations."""

import cv2
import keras
import numpy as np
import pytest

import contract
from sodkeras.backbones import ResNet
from sodkeras.checkpoints import cii as checkpoint
from sodkeras.complexity import complexity
from sodkeras.models import CII

TINY = {"width": 4, "filters": 8}


@pytest.mark.parametrize(("depth", "parameters", "giga"), [(18, 11_888_513, 6.4245), (50, 24_482_561, 8.7742)])
def test_parameters_and_multiply_adds(depth, parameters, giga):
    model = CII(depth)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == parameters
    assert complexity(model, (224, 224)).multiply_adds / 1e9 == pytest.approx(giga, abs=1e-4)


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    return CII(**TINY, preprocessing={"size": (48, 64)})


def test_contract(tiny, tmp_path):
    contract.check_outputs(tiny)
    contract.check_inference_model(tiny)
    contract.check_round_trip(tiny, tmp_path)
    contract.check_flattens(tiny)
    contract.check_costs(tiny)
    contract.check_backbone(tiny, ResNet(18, width=4))


def test_learns():
    contract.check_learns(CII(**TINY, interactor="none", input_shape=(48, 48, 3)))


def test_computes_in_bfloat16_with_float32_logits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        contract.check_outputs(CII(**TINY))
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("size", [(1, 1), (37, 50)])
def test_any_size(tiny, size):
    assert tiny(np.zeros((1, *size, 3), np.float32))["saliency_logits"].shape == (1, *size, 1)


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        # Reductions 66,176, way up 386,816, score 65; then what the interactor adds.
        ({"interactor": "none"}, 453_057),
        ({"interactor": "conv2"}, 453_057 + 2 * 36_992),
        ({"interactor": "conv4"}, 453_057 + 4 * 36_992),
        ({"interactor": "conv2", "shared": False}, 453_057 + 10 * 36_992),
        ({"next_stage": False}, 453_057 + 221_952),
        ({}, 712_001),
    ],
)
def test_the_rows_of_the_ablation_add_their_parameters(arguments, extra):
    model = CII(18, **arguments)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 11_176_512 + extra


def test_frozen_batch_norm_is_that_of_the_backbone_alone(tiny):
    model = CII.from_config(tiny.get_config() | {"freeze_batch_norm": True})
    left = [weight.path for weight in model.trainable_weights if "_bn/" in weight.path]
    assert left and not any("resnet" in path for path in left)


def test_converts_to_float_and_int8(examples, tmp_path):
    keras.utils.set_random_seed(0)
    tiny = CII(**TINY, preprocessing={"size": (48, 64)})
    # Random weights give logits of thousands, whose maps are black or white: nothing would be compared.
    score = tiny.get_layer("score")
    logits = tiny(tiny.preprocessing(cv2.imread(str(examples / "cat.jpg"))[..., ::-1]))["saliency_logits"]
    score.set_weights([weight / float(np.std(logits)) for weight in score.get_weights()])
    contract.check_converts(tiny, examples, tmp_path)


@pytest.mark.reference
def test_logits_are_those_of_the_released_code(reference):
    golden = np.load(reference / "reference/cii_r18_random_golden.npz")
    arrays = {name[3:]: golden[name] for name in golden.files if name.startswith("sd/")}
    model = checkpoint.from_state_dict(arrays)
    for prefix in ("", "odd_"):
        logits = np.array(model(golden[f"{prefix}input"].transpose(0, 2, 3, 1))["saliency_logits"])
        assert np.abs(logits - golden[f"{prefix}logits"].transpose(0, 2, 3, 1)).max() < 5e-4
