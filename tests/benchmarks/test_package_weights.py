"""What a model card says of how weights were made is what the runs' own records say."""

import json
import pathlib
import runpy
import shlex
import subprocess
import types

import keras
import numpy as np
import pytest
from absl import app, flags

from sodkeras.models import U2Net
from sodkeras.training.settings import parse_changes, read_recipe
from sodkeras.weights import preset, preset_names

BENCHMARKS = pathlib.Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def script():
    """The script's names; its flags, as they are by default, are gone afterwards."""
    before = set(flags.FLAGS)
    names = runpy.run_path(str(BENCHMARKS / "package_weights.py"))
    flags.FLAGS.mark_as_parsed()
    yield types.SimpleNamespace(**names)
    flags.FLAGS.unparse_flags()
    for name in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, name)


@pytest.fixture
def told(script):
    """What package_weights.py says of runs, as it stands in a preset's JSON."""
    return lambda *runs: json.loads(json.dumps(script.training_on(*runs)))


@pytest.fixture
def run(tmp_path):
    record = {
        "recipe": "distill",
        "short": True,
        "changes": {"network": "csnet_l_x1", "size": 192, "loss_arguments.factors": [1, 2]},
        "settings": {"steps_per_epoch": 400, "batch_statistics": False, "size": [192, 192]},
        "data": {"training": 7, "validation": 2, "sets": ["photos"], "sha256": "0"},
        "versions": {"keras": "3"},
        "machine": {"cores": 2},
    }
    (tmp_path / "settings.json").write_text(json.dumps(record))
    (tmp_path / "log.csv").write_text("epoch,step,seconds\n1,400,90\n2,800,150\n")
    return tmp_path


def test_a_run_stands_behind_what_it_went_on_from(run, told):
    before, now = preset("csnet_l_x1")["training"], told(run)
    assert now["command"].startswith(before["command"] + "; sodkeras train --recipe=distill --short ")
    given = shlex.split(now["command"].rsplit("; ", 1)[1])
    assert given[-3:] == ['--set=network="csnet_l_x1"', "--set=size=192", "--set=loss_arguments.factors=[1,2]"]
    stage = "of 400 steps, as it is used"
    assert now["epochs"] == before["epochs"] | {stage: before["epochs"].get(stage, 0) + 2}
    assert sum(now["minutes"].values()) == pytest.approx(sum(before["minutes"].values()) + 4)
    assert now["scenes"] == before["scenes"]
    assert now["start"] == before["start"]
    assert now["data"]["training"] == 7


def test_runs_that_began_with_random_weights_are_told_from_there(run, tmp_path, told):
    record = json.loads((run / "settings.json").read_text())
    record |= {"changes": {"network": "DNL"}, "settings": record["settings"] | {"batch_statistics": True}}
    (run / "settings.json").write_text(json.dumps(record))
    first = told(run)
    assert first["command"].startswith("sodkeras train --recipe=distill --short ")
    assert (first["start"], first["epochs"]) == ("random weights", {"of 400 steps, at 192×192": 2})
    behind = tmp_path / "behind"
    behind.mkdir()
    record["changes"]["network"] = str(run / "last.keras")
    (behind / "settings.json").write_text(json.dumps(record | {"settings": record["settings"] | {"size": [256, 256]}}))
    (behind / "log.csv").write_text("epoch,step,seconds\n1,400,120\n")
    both = told(behind)
    assert both["command"].startswith(first["command"] + "; sodkeras train ") and str(tmp_path) not in both["command"]
    assert both["epochs"] == first["epochs"] | {"of 400 steps, at 256×256": 1}
    assert both["start"] == "random weights"


def test_a_run_that_began_with_an_encoder_is_told_from_where_that_came(run, told):
    record = json.loads((run / "settings.json").read_text())
    begun = run / "start" / "begun.keras"
    begun.parent.mkdir()
    record["changes"]["network"] = str(begun)
    (run / "settings.json").write_text(json.dumps(record))
    how = {"command": "python benchmarks/own_encoder.py --out=begun.keras", "start": "an encoder of others"}
    how["encoder"] = "a package"
    begun.with_suffix(".json").write_text(json.dumps(how))
    now = told(run)
    assert now["command"].startswith(how["command"] + "; sodkeras train ") and str(run) not in now["command"]
    assert (now["start"], now["encoder"]) == (how["start"], how["encoder"])
    assert list(now["epochs"].values()) == [2]


def test_hints_stand_between_what_they_began_with_and_the_run_behind(run, told):
    record = json.loads((run / "settings.json").read_text())
    taught, begun = run / "start" / "taught.keras", run / "start" / "begun.keras"
    taught.parent.mkdir()
    record["changes"]["network"] = str(taught)
    (run / "settings.json").write_text(json.dumps(record))
    begun.with_suffix(".json").write_text(json.dumps({"command": "encode", "start": "an encoder of others"}))
    counts = {"epochs": {"steps with hints": 40}, "minutes": {"steps with hints": 3}}
    taught.with_suffix(".json").write_text(json.dumps(counts | {"taught": str(begun), "command": "hint"}))
    now = told(run)
    assert now["command"].startswith("encode; hint; sodkeras train ")
    assert now["start"] == "an encoder of others"
    assert now["epochs"] == {"steps with hints": 40, "of 400 steps, as it is used": 2}
    assert sum(now["minutes"].values()) == 3 + 4
    again = run / "start" / "again.keras"
    again.with_suffix(".json").write_text(json.dumps(counts | {"taught": str(taught), "command": "hint again"}))
    record["changes"]["network"] = str(again)
    (run / "settings.json").write_text(json.dumps(record))
    assert told(run)["epochs"]["steps with hints"] == 80


def test_what_hints_made_is_packaged_as_it_is(script, run):
    network = U2Net("small")
    taught = run / "start" / "taught.keras"
    taught.parent.mkdir()
    network.save(taught)
    how = {"taught": str(run / "last.keras"), "command": "hint", "epochs": {"steps": 4}, "minutes": {"steps": 1}}
    record = json.loads((run / "settings.json").read_text())
    taught.with_suffix(".json").write_text(json.dumps(how))
    model, now = script.trained([str(taught)])
    np.testing.assert_array_equal(model.get_weights()[0], network.get_weights()[0])
    assert now["command"].endswith("; hint") and now["data"] == record["data"]
    assert now["epochs"]["steps"] == 4


@pytest.mark.parametrize(
    "tolerance, size, chosen", [(0.1, None, "--tolerance=0.1"), (None, 224, "--filters=2,3 --size=224")]
)
def test_of_a_pruned_network_the_command_and_the_loss_are_told(script, tmp_path, tolerance, size, chosen):
    how = {"pictures": ["a.jpg", "b.jpg"], "size": size, "tolerance": tolerance, "filters": [2, 3]}
    how |= {"parameters": [8, 4], "multiply_adds": [6, 3]}
    record = how | {"pruned": "u2netp", "lost": {"encoder1_in_conv": 0.1, "fusion_conv": 0.2}}
    (tmp_path / "small.json").write_text(json.dumps(record))
    now = script.pruned(tmp_path / "small.keras")
    assert now["command"] == f"sodkeras prune u2netp --pictures=FOLDER --limit=2 {chosen} --out=small.keras"
    assert now["pruned"] == how | {"lost": 0.2}
    assert now["start"] == f"u2netp ({preset('u2netp')['sha256'][:8]})"


def test_of_two_runs_both_are_told(run, tmp_path, told):
    other = tmp_path / "other"
    other.mkdir()
    record = json.loads((run / "settings.json").read_text())
    record |= {"short": False, "changes": record["changes"] | {"seed": 2}}
    (other / "settings.json").write_text(json.dumps(record))
    (other / "log.csv").write_text("epoch,step,seconds\n1,400,120\n")
    one, both = told(run), told(run, other)
    assert both["runs"] == 2
    assert both["command"].startswith(one["command"] + "; sodkeras train --recipe=distill --data=FOLDER ")
    assert both["command"].endswith("--set=seed=2")
    assert sum(both["epochs"].values()) == sum(one["epochs"].values()) + 1
    assert sum(both["minutes"].values()) == pytest.approx(sum(one["minutes"].values()) + 2)


def test_runs_on_other_pictures_are_not_averaged(run, tmp_path, told):
    other = tmp_path / "other"
    other.mkdir()
    record = json.loads((run / "settings.json").read_text())
    record["data"]["sha256"] = "1"
    (other / "settings.json").write_text(json.dumps(record))
    with pytest.raises(app.UsageError, match="the same pictures"):
        told(run, other)


def test_a_mean_has_each_networks_share(script):
    models = [keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]) for _ in range(3)]
    for value, network in enumerate(models):
        network.set_weights([value + 0 * weight for weight in network.get_weights()])
    kernel, bias = script.mean_weights(models, [0.3, 0.5, 0.2])
    np.testing.assert_allclose(kernel.ravel(), [0.9, 0.9], rtol=1e-6)
    np.testing.assert_allclose(bias, [0.9], rtol=1e-6)


def made_by(name):
    return preset(name).get("training", {}).get("command", "")


@pytest.mark.parametrize("name", [name for name in preset_names() if "sodkeras train " in made_by(name)])
def test_what_a_card_says_made_a_network_can_be_typed(name):
    """Settings as they were, for a shell that takes {1,2} for two words, and a trainer that knows its settings."""
    for line in made_by(name).split("; "):
        if line.startswith("sodkeras train "):
            words = subprocess.check_output(["bash", "-c", f"printf '%s\\n' {line}"], text=True).splitlines()
            changes = parse_changes([word.removeprefix("--set=") for word in words if word.startswith("--set=")])
            assert read_recipe("distill", "--short" in words).changed(changes).network.startswith(changes["network"])
            assert {"--recipe=distill", "--data=FOLDER", "--out=FOLDER"} < set(words)
