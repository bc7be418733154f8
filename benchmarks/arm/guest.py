"""Runs each .tflite file named on the command line twice under emulation; run.sh counts the second run.

The system call before and behind it is the mark at which the plugin prints its count.
"""

import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

for path in sys.argv[1:]:
    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    random = np.random.default_rng(0)
    if details["dtype"] == np.float32:
        values = random.normal(size=details["shape"]).astype(np.float32)
    else:
        values = random.integers(-128, 128, details["shape"]).astype(details["dtype"])
    interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    os.getppid()
    interpreter.invoke()
    os.getppid()
    print(f"FILE {path}", file=sys.stderr, flush=True)
