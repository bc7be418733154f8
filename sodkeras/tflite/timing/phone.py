"""Timing of a `.tflite` file on an Android phone: LiteRT's own `benchmark_model` through adb."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess

from sodkeras.errors import SodkerasError
from sodkeras.files import read_bytes
from sodkeras.lite_metadata import read_metadata

#: Where a shell user may write and execute on every Android.
FOLDER = "/data/local/tmp/sodkeras"
_TOOL = f"{FOLDER}/benchmark_model"
_SECONDS = 900
_MEBIBYTE = 2**20 / 1e6


class Phone:
    """A phone that adb reaches.

    Args:
        serial: which one, as `adb devices` names it; default $ANDROID_SERIAL, or the only one there is.
        benchmark_model: LiteRT's tool for the phone's processor on this machine; None if an earlier run has left it on
            the phone.

    Attributes:
        name: manufacturer, model and chip.
        system: the Android version.

    Raises:
        SodkerasError: if there is no adb, no phone, more than one, none that lets us in, or no tool.
    """

    def __init__(self, serial: str | None = None, benchmark_model: str | None = None) -> None:
        self._adb = shutil.which("adb")
        if self._adb is None:
            raise SodkerasError(
                "There is no adb: install Android's platform-tools and put them on the PATH. "
                f"Received: PATH={os.environ.get('PATH', '')}"
            )
        self._serial = _choose(self._run("devices"), serial or os.environ.get("ANDROID_SERIAL"))
        properties = dict(re.findall(r"^\[(.+?)\]: \[(.*?)\]\r?$", self._shell("getprop"), re.M))
        names = (properties.get(f"ro.{key}") for key in ("product.manufacturer", "product.model", "soc.model"))
        self.name = " ".join(name for name in names if name) or self._serial
        self.system = (
            f"Android {properties.get('ro.build.version.release')} (API {properties.get('ro.build.version.sdk')}), "
            "benchmark_model"
        )
        self._shell(f"mkdir -p {FOLDER}")
        if benchmark_model is not None:
            if not pathlib.Path(benchmark_model).is_file():
                raise SodkerasError(f"There is no benchmark_model there. Received: {benchmark_model}")
            self._run("push", str(benchmark_model), _TOOL)
            self._shell(f"chmod 755 {_TOOL}")
        elif "yes" not in self._shell(f"test -x {_TOOL} && echo yes || echo no"):
            raise SodkerasError(
                "LiteRT's benchmark_model is not on the phone yet: name your copy, built for its processor, with "
                f"--benchmark_model=PATH. Received: no {_TOOL}"
            )

    def benchmark(
        self, path: str | os.PathLike, threads: int = 1, runs: int = 20, warmup: int = 3, profile: bool = False
    ) -> tuple[dict, str]:
        """Times one file on the CPU.

        Args:
            path: the file, with or without this project's metadata.
            threads, runs, warmup: as in `sodkeras.tflite.timing.benchmark.benchmark`.
            profile: have the operators timed as well.

        Returns:
            A pair: a dict with the keys of `timing.benchmark.COLUMNS`, where what the tool does not tell is
            "", and memory is what the model added; and the tool's report, a text.

        Raises:
            SodkerasError: if the file is no `.tflite` file, or the phone does not run it.
        """
        content = read_bytes(path)
        if content[4:8] != b"TFL3":
            raise SodkerasError(f"The file is not a .tflite model. Received: {path}")
        name, numerics, size = _describe(content, path)
        model = f"{FOLDER}/model.tflite"
        self._run("push", str(path), model)
        flags = [f"--graph={model}", f"--num_threads={threads}", "--use_xnnpack=true"]
        # Without the limits in seconds the tool would run more often than it is asked to.
        flags += [f"--num_runs={runs}", "--min_secs=0", f"--warmup_runs={warmup}", "--warmup_min_secs=0"]
        flags += ["--enable_op_profiling=true"] if profile else []
        try:
            report = self._shell(f"{_TOOL} {' '.join(flags)} 2>&1")
        finally:
            self._shell(f"rm -f {model}")
        row = read_report(report, path)
        row |= {"model": name, "numerics": numerics, "size": size, "megabytes": round(len(content) / 1e6, 3)}
        row |= {"threads": threads, "cpu": self.name, "system": self.system}
        return row, report

    def _shell(self, command):
        return self._run("shell", command)

    def _run(self, *arguments):
        chosen = ["-s", self._serial] if arguments[0] != "devices" else []
        try:
            result = subprocess.run(
                [self._adb, *chosen, *arguments], capture_output=True, text=True, errors="replace", timeout=_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise SodkerasError(
                f"The phone did not answer for {_SECONDS} s. Received: adb {shlex.join(arguments)}"
            ) from None
        except OSError as error:
            raise SodkerasError(f"adb cannot be run ({error.strerror}). Received: {self._adb}") from None
        if result.returncode:
            lines = (result.stderr.strip() or result.stdout.strip() or "no message").splitlines()
            raise SodkerasError(f"adb {arguments[0]} failed. Received: {lines[-1].strip()}")
        return result.stdout


def read_report(text: str, name: str | os.PathLike) -> dict:
    """What `benchmark_model` printed, as a row.

    Args:
        text: its output.
        name: what to call the file in an error.

    Returns:
        A dict with the keys of `timing.benchmark.COLUMNS`, of which those are filled that the report tells,
        and "inference_mean_ms", "inference_p95_ms".

    Raises:
        SodkerasError: if the report tells no times.
    """
    from sodkeras.tflite.timing.benchmark import COLUMNS

    # The first of these lines tells of the warm-up, where there was one; older tools tell no percentiles.
    found = re.findall(r"\bcount=(\d+) (.*\bavg=.*|curr=\d+.*)", text)
    if not found or "Inference (avg):" not in text:
        lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no output"]
        raise SodkerasError(f"benchmark_model did not run {name} on the phone. Received: {lines[-1]}")
    runs, line = found[-1]
    micro = {key: float(value) for key, value in re.findall(r"(\w+)=([\d.e+]+)", line)}
    micro.setdefault("avg", micro["curr"])  # a single run has no other figures
    micro.setdefault("min", micro["curr"])

    def milliseconds(key):
        return round(micro[key] / 1000, 2) if key in micro else ""

    row: dict = dict.fromkeys(COLUMNS, "")
    row |= {"runs": int(runs), "inference_median_ms": milliseconds("median"), "inference_min_ms": milliseconds("min")}
    row |= {"inference_mean_ms": milliseconds("avg"), "inference_p95_ms": milliseconds("p95")}
    memory = re.search(r"Memory footprint delta.*overall=([\d.]+)", text)
    if memory:
        row["peak_memory_mb"] = round(float(memory[1]) * _MEBIBYTE, 1)
    replaced = re.findall(r"Replacing (\d+) out of (\d+) node\(s\) with delegate.*yielding (\d+) partitions", text)
    if replaced:
        row["delegated"], row["operators"], row["partitions"] = (int(number) for number in replaced[-1])
    return row


def _choose(listing, serial):
    """The serial number of the phone to use, from what `adb devices` printed."""
    states = dict(re.findall(r"^(\S+)\s+(device|offline|unauthorized|no permissions|\w+)\b.*$", listing, re.M))
    states.pop("List", None)
    states = {name: state for name, state in states.items() if not name.startswith("*")}
    if not states:
        raise SodkerasError("No phone is connected: plug one in and turn on USB debugging. Received: no device")
    if serial is None and len(states) > 1:
        raise SodkerasError(f"Several phones are connected: choose with --serial. Received: {', '.join(states)}")
    serial = serial or next(iter(states))
    if serial not in states:
        raise SodkerasError(f"adb knows no such phone, only {', '.join(states)}. Received: {serial}")
    if states[serial] == "unauthorized":
        raise SodkerasError(
            "The phone does not trust this computer: unlock it and allow USB debugging. "
            f"Received: {serial} unauthorized"
        )
    if states[serial] != "device":
        raise SodkerasError(f"The phone does not answer: plug it in anew. Received: {serial} {states[serial]}")
    return serial


def _describe(content, path):
    """Name, numerics and size of a file, from its metadata where `sodkeras convert` wrote it."""
    try:
        metadata = read_metadata(content, path)
    except SodkerasError:
        return pathlib.Path(path).stem, "", ""
    height, width = metadata["preprocessing"]["size"]
    return metadata["name"], metadata["numerics"], f"{height}x{width}"
