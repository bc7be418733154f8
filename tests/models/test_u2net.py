"""U²-Net and U²-Net†: the released code's parameters and maps, any size, any configuration."""

import keras
import numpy as np
import pytest

import contract
from sodkeras.checkpoints import u2net as checkpoint
from sodkeras.models import U2Net

TINY = {
    "encoder": [["RSU-4", 2, 4], ["RSU-3", 3, 5], ["RSU-3F", 2, 6]],
    "decoder": [["RSU-3", 2, 5], ["RSU-4", 2, 4]],
}


@pytest.mark.parametrize(("variant", "parameters"), [("full", 44_009_869), ("small", 1_131_181)])
def test_parameters(variant, parameters):
    model = U2Net(variant)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == parameters
    assert len(model.output) == 7


@pytest.fixture(scope="module")
def tiny():
    return U2Net(TINY, name="tiny")


def test_contract(tiny, tmp_path):
    contract.check_outputs(tiny)
    contract.check_inference_model(tiny)
    contract.check_round_trip(tiny, tmp_path)
    contract.check_flattens(tiny)
    contract.check_costs(tiny)
    assert tiny.backbone_variables == []


def test_learns_with_one_mask_for_all_outputs():
    contract.check_learns(U2Net(TINY))


def test_computes_in_bfloat16_with_float32_logits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = U2Net(TINY)
        assert model.get_layer("encoder1").compute_dtype == "bfloat16"
        contract.check_outputs(model)
        contract.check_learns(model)
    finally:
        keras.config.set_dtype_policy("float32")


def test_predict_takes_pictures_of_several_sizes_in_turn(tiny):
    inference = tiny.inference_model()
    inference.compile(jit_compile=False)
    for size in ((16, 16), (20, 24), (7, 9)):  # from the second on, the graph knows no size in advance
        batch = contract.RNG.normal(size=(1, *size, 3)).astype("float32")
        np.testing.assert_allclose(inference.predict(batch, verbose=0), np.array(inference(batch)), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (23, 41), (64, 32)])
def test_any_size(tiny, size):
    outputs = tiny(np.zeros((1, *size, 3), np.float32))
    assert {value.shape for value in outputs.values()} == {(1, *size, 1)}


def test_the_side_outputs_are_those_of_the_configuration(tiny):
    assert list(tiny.output) == ["saliency_logits", "side1_logits", "side2_logits", "side3_logits"]


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("tiny", "'full' or 'small'"),
        ({"encoder": TINY["encoder"]}, "'decoder'"),
        ({"encoder": TINY["encoder"], "decoder": TINY["decoder"][:1]}, "3 and 1"),
        ({"encoder": [["UNet-4", 2, 4], *TINY["encoder"][1:]], "decoder": TINY["decoder"]}, "UNet-4"),
    ],
)
def test_a_configuration_that_makes_no_network_is_refused(variant, says):
    with pytest.raises(ValueError, match=says):
        U2Net(variant)


@pytest.mark.reference
@pytest.mark.parametrize("prefix", ["", "odd_"])
def test_maps_are_those_of_the_released_code(reference, prefix):
    golden = np.load(reference / "reference/u2netp_random_golden.npz")
    model = U2Net("small")
    checkpoint.load_state_dict(model, {name[3:]: golden[name] for name in golden.files if name.startswith("sd/")})
    outputs = model(golden[f"{prefix}input"].transpose(0, 2, 3, 1))
    for index, (name, logits) in enumerate(outputs.items()):
        expected = golden[f"{prefix}d{index}"].transpose(0, 2, 3, 1)
        saliency = 1 / (1 + np.exp(-np.array(logits, np.float64)))
        assert np.abs(saliency - expected).max() <= 3e-4, name
