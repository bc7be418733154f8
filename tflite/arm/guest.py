"""Runs each .tflite file named on the command line twice, and keeps what it gave; run.sh counts the second run.

usage: python3 guest.py OUTPUTS FILE.tflite [FILE.tflite ...]

OUTPUTS is a folder: FILE.npy goes there. The system call before and behind the second run is the mark at which the
plugin prints its count. INPUTS=FILE.npy in the environment names inputs to run instead, one after the other, [N, …]:
then FILE.npy has all N outputs.
"""

import os
import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def open_model(path):
    """An interpreter, and what to run it on."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    # Whole numbers, and exact fractions of them, are the same on every processor; a normal distribution is not.
    values = np.random.default_rng(0).integers(-128, 128, details["shape"])
    if details["dtype"] == np.float32:
        values = values / 64
    elif details["dtype"] == np.uint8:
        values = values + 128
    return interpreter, values.astype(details["dtype"])


def run(interpreter, values):
    """The output for an input."""
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def main():
    outputs, *paths = map(pathlib.Path, sys.argv[1:])
    for path in paths:
        interpreter, values = open_model(path)
        if given := os.environ.get("INPUTS"):
            result = np.concatenate([run(interpreter, values[None]) for values in np.load(given)])
        else:
            run(interpreter, values)
            os.getppid()
            interpreter.invoke()
            os.getppid()
            result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.save(outputs / f"{path.stem}.npy", result)
        print(f"FILE {path}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
