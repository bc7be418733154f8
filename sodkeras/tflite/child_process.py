"""Jobs in a process of their own: JSON goes in and comes out, and progress goes to the terminal.

TensorFlow's converter keeps memory from one conversion to the next, tensorflow-model-optimization changes how a process
sees Keras, and both write to stderr whatever one asks. A child process gives all of it back.
"""

import contextlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
import traceback
from typing import Any, TextIO

from sodkeras.errors import SodkerasError, first_line


def run(work: str, job: dict, what: str) -> Any:
    """Has a function work in a child process; its progress goes straight to the terminal.

    Args:
        work: "module:function"; the child imports the module, and calls the function with the job and a file to write
            progress to. It gives what JSON carries.
        job: a dict that JSON carries; "scratch" is a folder for the child's log, "source" what errors name.
        what: what to call the job in an error, such as "conversion".

    Returns:
        What the child's work gave.

    Raises:
        SodkerasError: if the work failed or the child was ended.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "sodkeras.tflite.child_process", work, what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"},
    ) as child:
        with contextlib.suppress(BrokenPipeError):  # it has ended already, which is told below
            print(json.dumps(job), file=child.stdin, flush=True)
        # Its stdin stays open until then: should this process be killed, it sees the end.
        output = child.stdout.read() if child.stdout else ""
    try:
        answered = json.loads(output.strip().split("\n")[-1])
    except json.JSONDecodeError:
        raise SodkerasError(
            f"The {what} stopped without a word, as when memory runs out. Received: exit code {child.returncode}"
        ) from None
    if "error" in answered:
        raise SodkerasError(answered["error"])
    return answered["result"]


def call(work: str, job: dict, progress: TextIO) -> Any:
    """Imports a function, "module:function", and calls it with a job and a file to write progress to."""
    module, function = work.split(":")
    return getattr(importlib.import_module(module), function)(job, progress)


def _answer(work, what):
    """The child's side: reads the job, does the work, and writes what it gave.

    The process ends when its parent does. What is written to stdout and stderr meanwhile goes to log.txt in the job's
    scratch folder, what TensorFlow says at its import, too: nothing that imports it is imported before.
    """
    job = json.loads(sys.stdin.readline())
    is_done = threading.Event()
    threading.Thread(target=_end_with_parent, args=(job["scratch"], is_done), daemon=True).start()
    answer_to = os.fdopen(os.dup(1), "w")
    progress = os.fdopen(os.dup(2), "w")
    log = os.open(f"{job['scratch']}/log.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        answered = {"result": call(work, job, progress)}
    except SodkerasError as error:
        answered = {"error": str(error)}
    except Exception as error:  # the parent prints one sentence; the whole story goes to its stderr on request
        if os.environ.get("SODKERAS_DEBUG"):
            traceback.print_exc(file=progress)
        answered = {"error": f"The {what} failed: {first_line(error)}. Received: {job['source']}"}
    is_done.set()
    print(json.dumps(answered), file=answer_to, flush=True)


def _end_with_parent(scratch, is_done):
    sys.stdin.read()
    if is_done.is_set():  # the parent has its answer, and takes what is in the folder
        return
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(1)  # nobody waits for gigabytes of work any more


if __name__ == "__main__":
    _answer(*sys.argv[1:])
