"""What goes wrong when a damaged file is read is found, whatever it is."""

import functools
import pathlib
import sys

import numpy as np
import pytest

sys.path.append(str(pathlib.Path(__file__).parents[2] / "tflite/benchmarks"))
import fuzz

READERS = {
    "read": "lambda path: path",
    "refused": "lambda path: __import__('sodkeras.files', fromlist=['files']).read_bytes(path)",
    "KeyError": "lambda path: {}[path]",
    "ended with code -11": "lambda path: __import__('os').kill(__import__('os').getpid(), 11)",
    "took more than 1 s": "lambda path: __import__('time').sleep(60)",
}


@pytest.mark.parametrize("outcome", READERS)
def test_every_fault_of_a_reader_is_told(outcome, monkeypatch):
    monkeypatch.setattr(fuzz, "_LONGEST", 1 if "took" in outcome else 60)
    worker = fuzz.Worker(functools.partial(eval, READERS[outcome]))
    assert worker.read(pathlib.Path("no such file")).startswith(outcome)
    worker.stop()


def test_damage_is_the_same_again_and_differs_each_time(tmp_path):
    good = tmp_path / "good.bin"
    good.write_bytes(np.random.default_rng(0).bytes(4000))
    made = [fuzz.damaged([good], tmp_path / "list", 0, number).read_bytes() for number in (1, 2, 3, 1)]
    assert made[0] == made[3] and len({*made, good.read_bytes()}) == 4
