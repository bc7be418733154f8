"""What own_weights_gpu.py does to a student, here without a GPU."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
STUDENT = """
import pathlib, sys, torch
import own_weights_gpu as gpu
from absl import flags
from sodkeras.models import DNL

flags.FLAGS(["own_weights_gpu.py", "--pack=p", "--out=o", "--batch=2"])
file = pathlib.Path(sys.argv[1]) / "small.keras"
stages = [[1, 4, 1, 1], [2, 4, 1, 2], [2, 4, 1, 2], [2, 6, 1, 2]]
shape = {"input_shape": (None, None, 3), "stem_filters": 4, "aspp_filters": 4, "low_level_filters": 4}
DNL((), 2, stages=stages, **shape).save(file)
assert gpu.began_as(str(file), 1.0) == "random weights"
try:
    gpu.begun(str(file), 2.0)
except gpu.app.UsageError as error:
    assert str(error).endswith("small.keras:2.0"), error
else:
    sys.exit("a DNL was made wider")

torch.manual_seed(0)
pictures = torch.randint(256, (6, 288, 288, 4), dtype=torch.uint8)
pool = {"pictures": pictures, "sure": torch.ones(6), "photos": 3, "scenes": 3}
student = gpu.Student("small", "random weights", gpu.begun(str(file), 1.0), 1.0)
model = student.model


def values(variables):
    return torch.cat([variable.value.detach().ravel().clone() for variable in variables])


before, untrained = values(model.weights), values(model.trainable_weights)
for half in (0, 1):
    assert student.prepare(pool, half) > 0
assert torch.equal(values(model.weights), before)
student.train(3, 0.2, pool)
assert (values(model.trainable_weights) != untrained).any()
student.train(1, 0.6, pool)
learned, statistics = values(model.trainable_weights), values(model.non_trainable_weights)
student.train(3, 0.7, pool)
assert (values(model.trainable_weights) != learned).any()
assert torch.equal(values(model.non_trainable_weights), statistics)
assert [size for _, size, _ in student.log] == [160, 224, 224]
"""


def test_a_dnl_learns_from_the_pool_and_keeps_its_statistics_in_the_second_half(tmp_path):
    pytest.importorskip("torch")
    path = os.pathsep.join([str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", STUDENT, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
