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
print(json.dumps(package_weights.training_on(pathlib.Path(sys.argv[1]))))
"""
AVERAGE = """
import json
import keras
import package_weights

before, model = (keras.Sequential([keras.Input([2]), keras.layers.Dense(1)]) for _ in range(2))
for network, value in ((before, 1.0), (model, 2.0)):
    network.set_weights([value + 0 * weight for weight in network.get_weights()])
package_weights.average(model, before, 0.7)
print(json.dumps([weight.ravel().tolist() for weight in model.get_weights()]))
"""


def said(script, *arguments):
    """The last line of what a script prints that may import from benchmarks/, from JSON."""
    path = os.pathsep.join([str(BENCHMARKS), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", script, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def told(run):
    """What package_weights.py says of a run."""
    return said(SCRIPT, str(run))


@pytest.fixture
def run(tmp_path):
    record = {
        "recipe": "distill",
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


def test_an_average_has_the_share_of_the_new_weights():
    kernel, bias = said(AVERAGE)
    assert kernel == pytest.approx([1.7, 1.7])
    assert bias == pytest.approx([1.7])
