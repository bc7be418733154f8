"""What a model card says of how weights were made is what the runs' own records say."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from sodkeras.weights import preset

BENCHMARKS = pathlib.Path(__file__).parent.parent.parent / "benchmarks"
SCRIPT = """
import json, pathlib, sys
import package_weights
from absl import flags

flags.FLAGS(["package_weights.py", "--name=n"])
print(json.dumps(package_weights.training_on(*map(pathlib.Path, sys.argv[1:]))))
"""
MEAN = """
import json
import keras
import package_weights

models = [keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]) for _ in range(3)]
for value, network in enumerate(models):
    network.set_weights([value + 0 * weight for weight in network.get_weights()])
mean = package_weights.mean_weights(models, [0.3, 0.5, 0.2])
print(json.dumps([weight.ravel().tolist() for weight in mean]))
"""


def said(script, *arguments):
    """The last line of what a script prints that may import from benchmarks/, from JSON."""
    path = os.pathsep.join([str(BENCHMARKS), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", script, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def told(*runs):
    """What package_weights.py says of runs."""
    return said(SCRIPT, *map(str, runs))


@pytest.fixture
def run(tmp_path):
    record = {
        "recipe": "distill",
        "short": True,
        "changes": {"network": "csnet_l_x1", "size": 192, "loss_arguments.factors": [1, 2]},
        "settings": {"steps_per_epoch": 400},
        "data": {"training": 7, "validation": 2, "sets": ["photos"], "sha256": "0"},
        "versions": {"keras": "3"},
        "machine": {"cores": 2},
    }
    (tmp_path / "settings.json").write_text(json.dumps(record))
    (tmp_path / "log.csv").write_text("epoch,step,seconds\n1,400,90\n2,800,150\n")
    return tmp_path


def test_a_run_stands_behind_what_it_went_on_from(run):
    before, now = preset("csnet_l_x1")["training"], told(run)
    assert now["command"].startswith(before["command"] + "; sodkeras train --recipe=distill --short ")
    assert '--set=network="csnet_l_x1" --set=size=192 --set=loss_arguments.factors=[1,2]' in now["command"]
    stage = "of 400 steps, as it is used"
    assert now["epochs"] == before["epochs"] | {stage: before["epochs"].get(stage, 0) + 2}
    assert sum(now["minutes"].values()) == pytest.approx(sum(before["minutes"].values()) + 4)
    assert now["scenes"] == before["scenes"]
    assert now["start"] == before["start"]
    assert now["data"]["training"] == 7


def test_a_run_on_a_pruned_network_tells_of_that_first(run):
    pruned = run / "small.keras"
    pruned.touch()
    how = {
        "pictures": ["a.jpg", "b.jpg"],
        "tolerance": 0.1,
        "filters": [2, 3],
        "parameters": [8, 4],
        "multiply_adds": [6, 3],
    }
    record = how | {"pruned": "u2netp", "lost": {"encoder1_in_conv": 0.1, "fusion_conv": 0.2}}
    pruned.with_suffix(".json").write_text(json.dumps(record))
    settings = json.loads((run / "settings.json").read_text())
    settings |= {"changes": {"network": str(pruned)}, "recipe": "fine_tune", "short": False}
    (run / "settings.json").write_text(json.dumps(settings))
    now = told(run)
    first, second = now["command"].split("; ")
    assert first == "sodkeras prune u2netp --pictures=FOLDER --limit=2 --tolerance=0.1 --out=small.keras"
    assert second == 'sodkeras train --recipe=fine_tune --set=network="small.keras"'
    assert now["pruned"] == how | {"lost": 0.2}
    assert now["start"] == f"u2netp ({preset('u2netp')['sha256'][:8]})"
    assert now["epochs"] == {"of 400 steps, as it is used": 2} and "teacher" not in now


def test_of_two_runs_both_are_told(run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    record = json.loads((run / "settings.json").read_text())
    record["changes"]["seed"] = 2
    (other / "settings.json").write_text(json.dumps(record))
    (other / "log.csv").write_text("epoch,step,seconds\n1,400,120\n")
    one, both = told(run), told(run, other)
    assert both["runs"] == 2
    assert both["command"].startswith(one["command"] + "; sodkeras train ")
    assert both["command"].endswith("--set=seed=2")
    assert sum(both["epochs"].values()) == sum(one["epochs"].values()) + 1
    assert sum(both["minutes"].values()) == pytest.approx(sum(one["minutes"].values()) + 2)


def test_runs_on_other_pictures_are_not_averaged(run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    record = json.loads((run / "settings.json").read_text())
    record["data"]["sha256"] = "1"
    (other / "settings.json").write_text(json.dumps(record))
    with pytest.raises(AssertionError, match="the same pictures"):
        told(run, other)


def test_a_mean_has_each_networks_share():
    kernel, bias = said(MEAN)
    assert kernel == pytest.approx([0.9, 0.9])
    assert bias == pytest.approx([0.9])
