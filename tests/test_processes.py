"""Who works for a command ends with it, and leaves nothing behind."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
import pytest

from helpers import tiny_model, write_photo
from sodkeras.files import scratch_folder
from sodkeras.pictures import write_png


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network's file, and so many pairs that scoring them takes a while."""
    folder = tmp_path_factory.mktemp("work")
    tiny_model().save(folder / "tiny.keras")
    for index in range(40):
        write_photo(folder / "photos" / f"{index}.png", seed=index % 7) if index else (folder / "photos").mkdir()
    mask = np.zeros((600, 800), np.uint8)
    mask[100:300, 200:500] = 255
    for kind in ("maps", "masks"):
        for index in range(400):
            write_png(folder / kind / f"{index}.png", mask)
    return folder


COMMANDS = {
    "evaluate": ["evaluate", "maps", "masks", "--processes=2"],
    "convert": ["convert", "--model=tiny.keras", "--numerics=int8", "--calibrate=photos", "--out=out"],
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", COMMANDS)
def test_nobody_and_nothing_is_left_of_a_command_that_is_ended(folder, tmp_path, name, number):
    command = subprocess.Popen(
        [sys.executable, "-m", "sodkeras", *COMMANDS[name]],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wanted = 3 if name == "evaluate" else 1  # Python's own keeper of semaphores is one more
    workers = []
    for _ in range(600):
        workers = psutil.Process(command.pid).children(recursive=True)
        busy = len(workers) >= wanted and all(worker.cpu_times().user > 0.5 for worker in workers[-1:])
        if busy or command.poll() is not None:
            break
        time.sleep(0.1)
    assert command.poll() is None and workers
    command.send_signal(number)
    assert command.wait(20) == (143 if number == signal.SIGTERM else -number)
    psutil.wait_procs(workers, timeout=20)
    assert [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE] == []
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("pymp-")] == []
    assert not (folder / "out").exists()


def test_a_scratch_folder_goes_and_takes_old_ones_along(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, new = tmp_path / "sodkeras-scratch-old", tmp_path / "sodkeras-scratch-new"
    for path in (old, new, tmp_path / "others"):
        (path / "inside").mkdir(parents=True)
    for path in (old, tmp_path / "others"):
        os.utime(path, (time.time() - 30 * 24 * 3600,) * 2)
    with scratch_folder() as folder:
        assert pathlib.Path(folder).is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["others", "sodkeras-scratch-new"]
