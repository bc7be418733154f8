"""A child's work ends with whoever asked for it."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from sodkeras import SodkerasError
from sodkeras.tflite import child_process

CHILD = """
import os, pathlib, time

def work(job, progress):
    pathlib.Path(job["scratch"], "pid").write_text(str(os.getpid()))
    time.sleep(job["seconds"])
    return job["source"]
"""
PARENT = "from sodkeras.tflite import child_process; child_process.run('napping:work', {job}, 'nap')"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "napping.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def test_what_the_child_gives_comes_back(folder):
    job = {"source": "a photo, ümlauts too", "scratch": str(folder), "seconds": 0}
    assert child_process.run("napping:work", job, "nap") == job["source"]


def test_work_that_fails_is_one_sentence(folder):
    job = {"source": "a" * 10**6, "scratch": str(folder)}
    with pytest.raises(SodkerasError, match=r"The nap failed: No module named 'no_such_module'\. Received: aaa"):
        child_process.run("no_such_module:work", job, "nap")


def test_a_child_that_dies_is_one_sentence(folder):
    (folder / "dying.py").write_text("import os\n\ndef work(job, progress):\n    os._exit(3)\n")
    with pytest.raises(SodkerasError, match=r"The nap stopped without a word.* exit code 3"):
        child_process.run("dying:work", {"source": "a photo", "scratch": str(folder)}, "nap")


def is_there(process):
    try:
        return "\nState:\tZ" not in (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not pathlib.Path("/proc/self").exists(), reason="no /proc")
def test_a_child_does_not_outlive_a_parent_that_is_killed(folder):
    job = {"source": "a photo", "scratch": str(folder), "seconds": 60}
    parent = subprocess.Popen([sys.executable, "-c", PARENT.format(job=job)])
    pid = pathlib.Path(folder, "pid")
    while not pid.exists() or not pid.read_text():
        assert parent.poll() is None
        time.sleep(0.05)
    child = pathlib.Path("/proc", pid.read_text())
    assert is_there(child)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while is_there(child):
        assert time.monotonic() < deadline, "the child is still there"
        time.sleep(0.05)
