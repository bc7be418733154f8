"""The released CSNet-L files give the released network's outputs."""

import json
import pickle

import keras
import numpy as np
import pytest

from sodkeras.checkpoints import csnet
from sodkeras.checkpoints.csnet_plan import read_plan
from sodkeras.checkpoints.pytorch_file import read_state_dict
from sodkeras.errors import SodkerasError
from sodkeras.graph import Graph, flatten
from sodkeras.models import CSNet
from sodkeras.models.channel_plan import channel_plan

PARAMETERS = {1: 93_647, 2: 140_894}
#: Golden feature → flattened layer.
FEATURES = {
    "stage0.0/0": "stage0_0_unit2_activation0",
    "stage0.0/1": "stage0_0_unit2_activation1",
    "stage2.3/0": "stage2_3_unit2_activation0",
    "stage3.5/0": "stage3_5_unit2_activation0",
    "stage4.3/0": "stage4_3_unit2_activation0",
    "oct_fuse.fuse/0": "fusion_mix_activation0",
    "oct_fuse.fuse/1": "fusion_mix_activation1",
    "oct_fuse.fuse/2": "fusion_mix_activation2",
    "oct_fuse.ms/0": "fusion_dilated0_activation",
    "oct_fuse.ms/1": "fusion_dilated1_activation",
    "oct_fuse.ms/2": "fusion_dilated2_activation",
    "oct_fuse.fuse1x1/0": "fusion_merge_activation0",
    "cls_layer/0": "classifier",
}


def channels_last(array):
    return array.transpose(0, 2, 3, 1)


def state_dict(reference, k):
    return dict(np.load(reference / f"reference/weights/csnet_L_x{k}_state.npz"))


@pytest.fixture(params=[1, 2], ids=["x1", "x2"], scope="module")
def released(request, reference):
    """The multiple k, the network with the released weights, and the golden arrays."""
    golden = np.load(reference / f"reference/csnet_l_x{request.param}_golden.npz")
    return request.param, csnet.from_state_dict(state_dict(reference, request.param)), golden


@pytest.mark.reference
def test_parameters_are_the_released_ones(released):
    k, model, _ = released
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == PARAMETERS[k]


@pytest.mark.reference
@pytest.mark.parametrize("source", ["", "rand_", "rand2_"], ids=["photos", "noise", "other size"])
def test_logits_equal_the_released_code(released, source):
    _, model, golden = released
    logits = model.predict(channels_last(golden[f"{source}input"]), batch_size=1, verbose=0)["saliency_logits"]
    assert np.abs(logits - channels_last(golden[f"{source}logits"])).max() <= 5e-5


@pytest.mark.reference
def test_features_equal_the_released_code(released):
    _, model, golden = released
    flat = flatten(model)
    outputs = {call.layer.name: call.output for call in Graph(flat)}
    taps = keras.Model(flat.input, {key: outputs[name] for key, name in FEATURES.items()})
    features = taps(channels_last(golden["rand_input"]))
    assert {f"rand_feat/{key}" for key in FEATURES} == {key for key in golden.files if key.startswith("rand_feat/")}
    for key, feature in features.items():
        wanted = channels_last(golden[f"rand_feat/{key}"])
        assert np.abs(feature - wanted).max() <= 5e-5 * np.abs(wanted).max(), key


@pytest.mark.reference
@pytest.mark.parametrize("k", [1, 2])
def test_plans_agree(reference, k):
    """The plan read off the weights, the pickle's and the JSON's are one."""
    weights = reference / "reference/weights"
    plan = read_plan(weights / f"csnet-L-x{k}.bin")
    assert plan == read_plan(weights / f"csnet_L_x{k}_layer_config.json")
    assert plan == csnet.plan_of(state_dict(reference, k))


@pytest.mark.reference
def test_checkpoint_file_equals_its_arrays(reference):
    pytest.importorskip("torch")
    arrays = state_dict(reference, 1)
    read = read_state_dict(reference / "reference/weights/csnet-L-x1.pth.tar")
    assert set(read) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(read[name], value)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("stage2.1.conv3x3_1.convs.1.weight"), "no 'stage2.1.conv3x3_1.convs.1.weight'"),
        (lambda arrays: arrays.update({"stage9.weight": np.ones(3)}), "stage9.weight"),
        (lambda arrays: arrays.update({"cls_layer.bias": np.ones(2)}), "cls_layer.bias should be"),
        (lambda arrays: arrays.update({"stage1.0.conv1x1.conv.weight": np.ones((9, 9, 1, 1))}), "does not fit"),
    ],
    ids=["missing", "left over", "shape", "channels"],
)
def test_state_dicts_that_do_not_fit_are_refused(reference, change, message):
    arrays = state_dict(reference, 1)
    model = CSNet(plan=csnet.plan_of(arrays))
    change(arrays)
    with pytest.raises(SodkerasError, match=message):
        csnet.load_state_dict(model, arrays)


def test_other_networks_are_refused():
    with pytest.raises(SodkerasError, match="not that of a CSNet"):
        csnet.from_state_dict({"conv1.weight": np.ones((2, 2))})
    with pytest.raises(SodkerasError, match="activation='relu'"):
        csnet.load_state_dict(CSNet(activation="relu"), {})


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("harmful", [Harmful(), [Harmful()], np.array([Harmful()])], ids=["bare", "list", "array"])
def test_a_pickle_that_would_execute_something_is_refused(tmp_path, harmful):
    file = tmp_path / "plan.bin"
    file.write_bytes(pickle.dumps(harmful, protocol=3))
    with pytest.raises(SodkerasError, match=r"it names \w+\.exec.*Received: .*plan.bin"):
        read_plan(file)


def test_own_plan_is_read_back(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(channel_plan(1.5, (1, 3))))
    assert read_plan(file) == channel_plan(1.5, (1, 3))


@pytest.mark.parametrize(
    "content",
    [
        *("[]", "[[1], 2, 3, 4, [5]]", "[[1, [2]], 2, 3, 4, [9]]", "[[1, [2]], 2, 3, 4, [1e999]]", "7", "{", "{}"),
        *('{"stages": 1}', '{"stages": [[[1e999]]], "fusion": null}', "[" * 100_000, "\0", "null", '"text"'),
    ],
)
def test_files_without_a_plan_are_refused(tmp_path, content):
    for file in (tmp_path / "plan.json", tmp_path / "plan.bin"):
        file.write_text(content)
        with pytest.raises(SodkerasError, match="Received: "):
            read_plan(file)
