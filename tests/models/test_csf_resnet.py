"""Cross-stage fusion on big backbones: the papers' parameters, its promises as a network."""

import keras
import numpy as np
import pytest

import contract
from sodkeras.backbones import ResNet
from sodkeras.complexity import complexity
from sodkeras.models import CSFResNet

TINY = {"width": 8, "mixed_filters": (8, 8, 12, 12), "groups": 2, "preprocessing": {"size": (48, 64)}}


@pytest.mark.parametrize(
    ("backbone", "parameters", "giga"), [("res2net", 36_528_489, 7.7759), ("resnet", 36_367_169, 7.3703)]
)
def test_parameters_and_multiply_adds(backbone, parameters, giga):
    cost = complexity(CSFResNet(backbone), (224, 224))
    assert cost.parameters == parameters
    assert cost.multiply_adds / 1e9 == pytest.approx(giga, abs=1e-4)


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    return CSFResNet("resnet", 18, **TINY)


def test_contract(tiny, tmp_path):
    contract.check_outputs(tiny)
    contract.check_inference_model(tiny)
    contract.check_round_trip(tiny, tmp_path)
    contract.check_flattens(tiny)
    contract.check_costs(tiny)
    contract.check_backbone(tiny, ResNet(18, width=8, freeze_batch_norm=True))


def test_res2net_flattens():
    contract.check_flattens(CSFResNet("res2net", **TINY))


def test_learns_with_the_backbones_batch_norm_frozen():
    keras.utils.set_random_seed(0)
    model = CSFResNet("resnet", 18, **TINY, input_shape=(64, 64, 3))
    norm = model.get_layer("resnet_stem").norm
    before = [np.array(weight) for weight in norm.weights]
    contract.check_learns(model, rate=0.001)
    for old, new in zip(before, norm.weights, strict=True):
        np.testing.assert_array_equal(old, np.array(new))


def test_computes_in_bfloat16_with_float32_logits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        contract.check_outputs(CSFResNet("resnet", 18, **TINY))
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("size", [(1, 1), (37, 50)])
def test_any_size(tiny, size):
    assert tiny(np.zeros((1, *size, 3), np.float32))["saliency_logits"].shape == (1, *size, 1)


def test_an_unknown_backbone_is_refused():
    with pytest.raises(ValueError, match="Received: 'vgg'"):
        CSFResNet("vgg")


def test_converts_to_float_and_int8(tiny, examples, tmp_path):
    contract.check_converts(tiny, examples, tmp_path)
