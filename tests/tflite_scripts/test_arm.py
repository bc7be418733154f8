"""A converted file computes on an emulated ARM processor what it computes here, to the bit in 8 bits.

The short form of `make arm`: it runs where QEMU and what tflite/arm/setup.sh makes are there.
"""

import csv
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
ARM = ROOT / "tflite/arm"


@pytest.fixture(scope="module")
def machine():
    """The folder that setup.sh made."""
    folder = pathlib.Path(os.environ.get("SODKERAS_ARM", ROOT / "out" / "arm"))
    if shutil.which("qemu-aarch64") is None or not (folder / "count.so").is_file():
        pytest.skip(f"no emulated ARM: make arm sets it up in {folder}, or name another folder with SODKERAS_ARM")
    return folder


def instructions(*arguments):
    return subprocess.run([sys.executable, ARM / "instructions.py", *arguments], capture_output=True, text=True)


def test_a_file_gives_on_arm_what_it_gives_here_and_is_counted_to_the_instruction(machine, small_file, tmp_path):
    table = tmp_path / "table.csv"
    counts = []
    for _ in range(2):
        result = instructions(machine, small_file, "--cpus=cortex-a76", f"--csv={table}")
        assert result.returncode == 0, result.stdout + result.stderr
        with table.open(encoding="utf-8") as file:
            (row,) = csv.DictReader(file)  # the same file's row is replaced
        counts.append(float(row["million_instructions_emulated_not_a_time"]))
    assert counts[0] == counts[1] > 0
    assert float(row["largest_difference_from_x86"]) <= 1e-5 and row["values"] == str(16 * 24)


def test_what_does_not_run_there_is_one_sentence(machine, small_file, tmp_path):
    result = instructions(machine, small_file, "--cpus=no-such-processor", f"--csv={tmp_path}/table.csv")
    assert result.returncode != 0 and "The emulated no-such-processor did not run" in result.stderr


def test_the_networks_in_the_package_have_their_maps_in_half_precision(machine, tmp_path):
    network, table = ROOT / "sodkeras" / "presets" / "csnet_l_x1_float16.tflite", tmp_path / "table.csv"
    command = [sys.executable, ARM / "half_precision.py", machine, network, "--count=1", f"--csv={table}"]
    result = subprocess.run([*command, f"--pictures={ROOT / 'examples'}"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    with table.open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    # It was computed in 16 bits, for in 32 it would be the same to 1e-5.
    assert row["pictures"] == "1" and float(row["largest"]) > 1e-4
