"""Timing of a `.tflite` file on this machine's CPU, or of any runtime. Imports no converter."""

import csv
import importlib.metadata
import os
import pathlib
import platform
import re
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.processes import spawned_pool

#: The columns of a CSV row, in order.
COLUMNS = (
    "model",
    "numerics",
    "size",
    "megabytes",
    "threads",
    "runs",
    "pre_median_ms",
    "inference_median_ms",
    "inference_p90_ms",
    "inference_min_ms",
    "post_median_ms",
    "total_median_ms",
    "peak_memory_mb",
    "operators",
    "delegated",
    "partitions",
    "cpu",
    "system",
)


def measure(runtime: Any, pictures: Sequence[np.ndarray], runs: int = 20, warmup: int = 3) -> dict:
    """Times the three steps from picture to map, each on its own.

    Args:
        runtime: see `sodkeras.runtimes`.
        pictures: RGB, uint8 `[H, W, 3]`, decoded, which are taken in turn: reading files is not timed.
        runs: measured repetitions.
        warmup: repetitions before them.

    Returns:
        A dict of "pre", "inference" and "post" to arrays of `runs` milliseconds.
    """
    times: dict[str, list[float]] = {"pre": [], "inference": [], "post": []}
    for run in range(warmup + runs):
        picture = pictures[run % len(pictures)]
        start = time.perf_counter()
        batch = runtime.preprocessing(picture)
        prepared = time.perf_counter()
        network_map = runtime(batch)[0]
        inferred = time.perf_counter()
        runtime.preprocessing.restore(network_map, picture.shape[:2])
        end = time.perf_counter()
        if run >= warmup:
            times["pre"].append(1e3 * (prepared - start))
            times["inference"].append(1e3 * (inferred - prepared))
            times["post"].append(1e3 * (end - inferred))
    return {name: np.array(values) for name, values in times.items()}


def benchmark(
    path: str | os.PathLike, pictures: Sequence[np.ndarray], threads: int = 1, runs: int = 20, warmup: int = 3
) -> dict:
    """Times one `.tflite` file in a process of its own, so that its peak memory is its own too.

    Args:
        path: the file.
        pictures, runs, warmup: as in `measure`.
        threads: CPU threads.

    Returns:
        A dict with the keys of `COLUMNS`, and `Partitions` under "delegation".

    Raises:
        SodkerasError: if LiteRT cannot run the file.
    """
    with spawned_pool(1) as executor:
        return executor.submit(_benchmark_here, str(path), pictures, threads, runs, warmup).result()


def _benchmark_here(path, pictures, threads, runs, warmup):
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.check.partitions import count_partitions

    runtime = LiteRTRuntime(path, threads)
    times = measure(runtime, pictures, runs, warmup)
    partitions = count_partitions(runtime.interpreter)
    height, width = runtime.preprocessing.size
    return {
        "model": runtime.name,
        "numerics": runtime.numerics,
        "size": f"{height}x{width}",
        "megabytes": round(pathlib.Path(path).stat().st_size / 1e6, 3),
        "threads": threads,
        "runs": runs,
        "pre_median_ms": round(float(np.median(times["pre"])), 2),
        "inference_median_ms": round(float(np.median(times["inference"])), 2),
        "inference_p90_ms": round(float(np.percentile(times["inference"], 90)), 2),
        "inference_min_ms": round(float(np.min(times["inference"])), 2),
        "post_median_ms": round(float(np.median(times["post"])), 2),
        "total_median_ms": round(float(np.median(sum(times.values()))), 2),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "operators": partitions.operators,
        "delegated": partitions.delegated,
        "partitions": partitions.partitions,
        "cpu": cpu_model(),
        "system": system(),
        "delegation": partitions,
    }


def profile_file(
    path: str | os.PathLike, picture: np.ndarray, threads: int = 1, runs: int = 20, warmup: int = 3
) -> Any:
    """Times the operators of one `.tflite` file on one picture; arguments as in `benchmark`.

    Returns:
        See `sodkeras.tflite.timing.operator_profile.profile`.

    Raises:
        SodkerasError: if LiteRT cannot run the file, or has no profiler.
    """
    from sodkeras.runtimes import LiteRTRuntime
    from sodkeras.tflite.timing.operator_profile import profile

    runtime = LiteRTRuntime(path, threads)
    runtime(runtime.preprocessing(picture))
    # As the runtime wrote it there: quantized, where the file takes integers.
    values = runtime.interpreter.get_tensor(runtime.interpreter.get_input_details()[0]["index"])
    return profile(path, values, threads, runs, warmup)


def append_rows(path: str | os.PathLike, rows: Sequence[dict]) -> None:
    """Adds rows, dicts with the keys of `COLUMNS`, to a CSV file; other keys are left out.

    Raises:
        SodkerasError: if the file cannot be written, or is a table of something else.
    """
    path = pathlib.Path(path)
    try:
        header = path.read_text("utf-8").split("\n")[0] if path.exists() else ""
        if header.strip() and header.strip() != ",".join(COLUMNS):
            raise SodkerasError(
                f"The table has other columns than those of a benchmark: name a new file. Received: {path}"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
            if not header.strip():
                writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise SodkerasError(f"Cannot write the table ({error.strerror}). Received: {path}") from None


def system() -> str:
    """The operating system, and the versions of what a time depends on."""
    versions = [f"Python {platform.python_version()}"]
    for package, name in (("ai-edge-litert", "LiteRT"), ("numpy", "NumPy")):
        versions.append(f"{name} {importlib.metadata.version(package)}")
    return ", ".join([f"{platform.system()} {platform.machine()}", *versions, f"OpenCV {cv2.__version__}"])


def peak_memory_mb() -> float:
    """The most memory this process has held, in megabytes (10^6 bytes)."""
    try:
        # What getrusage gives on Linux begins with the peak of the process that started this one.
        status = pathlib.Path("/proc/self/status").read_text()
        if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.M):
            return int(found[1]) * 1024 / 1e6
    except OSError:
        pass
    import resource  # which Windows lacks

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if platform.system() == "Darwin" else peak * 1024 / 1e6


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    return fields.get("model name") or fields.get("Model") or platform.processor() or platform.machine()
