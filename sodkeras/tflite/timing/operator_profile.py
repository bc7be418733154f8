"""How long each operator of a `.tflite` file takes, inside the delegate too, as LiteRT's own profiler tells it.

LiteRT's Python interpreter has no profiler. The C library that its wheel brings has one, so it is called here directly,
by the functions of `litert/c/*.h` (LiteRT 2.3). They are no stable interface: `profile` runs in a process of its own,
where a version with other functions can do no harm. `parse` also reads what `benchmark_model --enable_op_profiling`
prints, which is the same table.
"""

import concurrent.futures.process
import ctypes
import dataclasses
import importlib.util
import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes
from sodkeras.processes import spawned_pool

_ON_CPU = 1
_LOCK_TO_WRITE = 1
#: Room for a LiteRtRankedTensorType, which has 72 bytes.
_TENSOR_TYPE_BYTES = 256
# Type, start, first, average, share, cumulated share, memory, times called, name.
_NUMBER = r"\s+-?[\d.e+-]+%?"
_ROW = re.compile(
    rf"^\s*(?P<kind>[^\s\[].*?){_NUMBER * 2}\s+(?P<ms>[\d.e+-]+){_NUMBER * 3}\s+(?P<calls>\d+)\s+\S.*$", re.M
)


@dataclasses.dataclass(frozen=True)
class OperatorTime:
    """One operator of the running graph.

    Attributes:
        order: its place in running order, from 0.
        kind: what ran, such as "Convolution (NHWC, F32) IGEMM"; of an operator that no delegate took, its name in the
            file, such as "CUMSUM".
        count: 1. Where a delegate has several partitions, LiteRT counts what has the same place in each of them as one
            operator, of the first one's kind: their number.
        milliseconds: what it takes in a run: of `profile`, the median over the runs; in a table of LiteRT, the mean.
    """

    order: int
    kind: str
    count: int
    milliseconds: float


def profile(path: str | os.PathLike, values: np.ndarray, threads: int = 1, runs: int = 20, warmup: int = 3) -> list:
    """Runs a `.tflite` file with LiteRT's profiler on.

    Args:
        path: the file, with one input and one output.
        values: what to run it on: an array of the input tensor's type and shape.
        threads: CPU threads.
        runs: measured runs.
        warmup: runs before them.

    Returns:
        A list of `OperatorTime`, in running order.

    Raises:
        SodkerasError: if this LiteRT has no such profiler, or cannot run the file.
    """
    with spawned_pool(1) as executor:
        try:
            tables = executor.submit(_tables, str(path), values, threads, runs, warmup).result()
        except (OSError, AttributeError, concurrent.futures.process.BrokenProcessPool):
            raise SodkerasError(
                "The installed LiteRT has no profiler that can be read here: install ai-edge-litert 2.3 or measure "
                f"without --operators. Received: {path}"
            ) from None
    # A table for each run, for a mean over runs would count whatever else the machine did.
    times = [parse(table) for table in tables]
    medians = np.median([[time.milliseconds for time in run] for run in times], axis=0)
    return [
        dataclasses.replace(time, milliseconds=float(median)) for time, median in zip(times[0], medians, strict=True)
    ]


def parse(text: str) -> list:
    """The operators in what LiteRT's profiler prints, in running order: a list of `OperatorTime`.

    Args:
        text: a table of the compiled model's profiler, or all that `benchmark_model` printed: there a table of the
            initialization comes first, and what runs inside a delegate may have a table of its own.

    Raises:
        SodkerasError: if there is no such table.
    """
    tables = text.rpartition(" Regular Benchmark Runs:")[2].split(" Run Order ")[1:]
    tables = [table.partition(" Top by Computation Time ")[0] for table in tables]
    rows = [row for table in tables for row in _ROW.finditer(table)]
    if not rows:
        raise SodkerasError(f"LiteRT's profiler reported no operator. Received: {text.strip()[-200:]!r}")
    # A delegate that tells what it does inside is there as a whole as well; counted once.
    inside = len(tables) > 1 or any(row["kind"].startswith("Delegate/") for row in rows)
    times: list[OperatorTime] = []
    for row in rows:
        kind = row["kind"].removeprefix("Delegate/")
        if not (inside and re.fullmatch(r"\w*Delegate\w*", kind)):
            count = int(row["calls"])
            times.append(OperatorTime(len(times), kind, count, count * float(row["ms"])))
    return times


def by_kind(times: Sequence) -> list:
    """Sums over the operators of a kind: a list of `(kind, count, milliseconds, share of all)`, the costliest first."""
    sums: dict[str, tuple[int, float]] = {}
    for time in times:
        count, milliseconds = sums.get(time.kind, (0, 0.0))
        sums[time.kind] = count + time.count, milliseconds + time.milliseconds
    total = sum(milliseconds for _, milliseconds in sums.values()) or 1.0
    rows = [(kind, count, milliseconds, milliseconds / total) for kind, (count, milliseconds) in sums.items()]
    return sorted(rows, key=lambda row: -row[2])


def _tables(path, values, threads, runs, warmup):
    # What LiteRT says of the accelerators that it looks for is no concern of who asks for a profile.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    return _CompiledModel(path, threads).profile(values, runs, warmup)


class _CompiledModel:
    """LiteRT's compiled model by its C interface, with the profiler on; what it holds lives as long as the process."""

    def __init__(self, path, threads):
        package = importlib.util.find_spec("ai_edge_litert").submodule_search_locations[0]
        self._library = ctypes.CDLL(str(next(pathlib.Path(package).glob("libLiteRt.*"), "libLiteRt.so")))
        self._path = path
        self._environment = self._make("LiteRtCreateEnvironment", ctypes.c_int(0), None)
        self._content = read_bytes(path)
        self._model = self._make(
            "LiteRtCreateModelFromBuffer", self._environment, self._content, ctypes.c_size_t(len(self._content))
        )
        options = self._make("LiteRtCreateOptions")
        self._call("LiteRtSetOptionsHardwareAccelerators", options, ctypes.c_int(_ON_CPU))
        self._keep = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        self._payloads = []
        self._add_options(options, b"runtime_options_string", b"enable_profiling = true\n")
        self._add_options(options, b"xnnpack", f"num_threads = {threads}\n".encode())
        self._compiled = self._make("LiteRtCreateCompiledModel", self._environment, self._model, options)
        self._signature = self._make("LiteRtGetModelSignature", self._model, ctypes.c_size_t(0))

    def profile(self, values, runs, warmup):
        """The profiler's table of each run, as text."""
        profiler = self._make("LiteRtCompiledModelGetProfiler", self._compiled)
        inputs, outputs = (ctypes.c_void_p * 1)(self._buffer("Input")), (ctypes.c_void_p * 1)(self._buffer("Output"))
        self._write(inputs[0], values)
        one = ctypes.c_size_t(1)
        tables = []
        for run in range(warmup + runs):
            self._call("LiteRtResetProfiler", profiler)
            self._call("LiteRtStartProfiler", profiler)
            self._call("LiteRtRunCompiledModel", self._compiled, ctypes.c_size_t(0), one, inputs, one, outputs)
            self._call("LiteRtStopProfiler", profiler)
            if run >= warmup:
                table = self._make("LiteRtGetProfileSummary", profiler, self._compiled)
                tables.append(ctypes.string_at(table).decode())
        return tables

    def _buffer(self, kind):
        none = ctypes.c_size_t(0)
        requirements = self._make(f"LiteRtGetCompiledModel{kind}BufferRequirements", self._compiled, none, none)
        tensor = self._make(f"LiteRtGetSignature{kind}TensorByIndex", self._signature, none)
        tensor_type = ctypes.create_string_buffer(_TENSOR_TYPE_BYTES)
        self._call("LiteRtGetRankedTensorType", tensor, tensor_type)
        return self._make(
            "LiteRtCreateManagedTensorBufferFromRequirements", self._environment, tensor_type, requirements
        )

    def _write(self, buffer, values):
        buffer = ctypes.c_void_p(buffer)
        size = ctypes.c_size_t()
        self._call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
        content = values.tobytes()
        if len(content) != size.value:
            raise SodkerasError(
                f"The input of {self._path} has {size.value} bytes. Received: an array of {len(content)} bytes"
            )
        address = ctypes.c_void_p()
        self._call("LiteRtLockTensorBuffer", buffer, ctypes.byref(address), ctypes.c_int(_LOCK_TO_WRITE))
        ctypes.memmove(address, content, len(content))
        self._call("LiteRtUnlockTensorBuffer", buffer)

    def _add_options(self, options, name, text):
        payload = ctypes.create_string_buffer(text)
        self._payloads.append(payload)
        self._call(
            "LiteRtAddOpaqueOptions", options, self._make("LiteRtCreateOpaqueOptions", name, payload, self._keep)
        )

    def _make(self, name, *arguments):
        """Calls a function whose last argument is where it puts its result, and returns that."""
        result = ctypes.c_void_p()
        self._call(name, *arguments, ctypes.byref(result))
        return result

    def _call(self, name, *arguments):
        function = getattr(self._library, name)
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status:
            raise SodkerasError(f"LiteRT cannot profile the file: {name} gave status {status}. Received: {self._path}")
