"""training/weights/sheet.py draws what the cards show."""

import pathlib
import subprocess
import sys

import pytest

from helpers import write_photo
from sodkeras.pictures import read_picture

SCRIPT = pathlib.Path(__file__).parents[2] / "training" / "weights" / "sheet.py"


@pytest.mark.process
def test_each_picture_has_a_row_and_each_network_a_column(tmp_path):
    for seed in range(2):
        write_photo(tmp_path / f"{seed}.png", seed=seed)
    for count, models in ((1, "dnl_small"), (2, "dnl_small,u2netp_pruned_224")):
        sheet = tmp_path / f"{count}.jpg"
        call = [sys.executable, SCRIPT, f"--out={sheet}", f"--models={models}", *sorted(tmp_path.glob("*.png"))[:count]]
        done = subprocess.run(call, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    one, two = (read_picture(tmp_path / f"{count}.jpg").shape for count in (1, 2))
    assert two[0] > 1.5 * one[0] and two[1] > 1.2 * one[1]
