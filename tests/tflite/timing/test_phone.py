"""`sodkeras benchmark --adb` against a stand-in `adb` on the PATH: what it asks, reads, and says of errors."""

import csv
import json
import os
import sys

import pytest

from sodkeras import SodkerasError
from sodkeras.commands.main import main
from sodkeras.tflite.timing.benchmark import COLUMNS
from sodkeras.tflite.timing.phone import read_report

#: Behaves as its phone.json says, keeps what is pushed, and notes what it was asked.
ADB = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
phone = json.loads((folder / "phone.json").read_text())
words = sys.argv[1:]
with (folder / "asked.txt").open("a") as file:
    print(*words, file=file)
if words == ["devices"]:
    print("* daemon started successfully *\\nList of devices attached")
    for name, state in phone["devices"].items():
        print(name + "\\t" + state)
    sys.exit()
assert words[:2] == ["-s", "serial1"], words
verb, *rest = words[2:]
if verb == "push":
    if phone.get("full"):
        sys.exit("adb: error: failed to copy: remote No space left on device")
    (folder / pathlib.Path(rest[1]).name).write_bytes(pathlib.Path(rest[0]).read_bytes())
elif rest[0] == "getprop":
    print("[ro.product.manufacturer]: [Maker]\\r\\n[ro.product.model]: [Phone 8]\\r\\n[ro.soc.model]: [Chip]\\r")
    print("[ro.build.version.release]: [14]\\r\\n[ro.build.version.sdk]: [34]\\r")
elif rest[0].startswith("test -x"):
    print("yes" if (folder / "benchmark_model").exists() else "no")
elif "--graph=" in rest[0]:
    assert (folder / "model.tflite").exists()
    print(phone["report"])
    sys.exit(phone.get("exit", 0))
elif rest[0].startswith("rm "):
    (folder / "model.tflite").unlink()
"""
REPORT = """INFO: Loaded model /data/local/tmp/sodkeras/model.tflite
VERBOSE: Replacing 3 out of 4 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 2 partitions for subgraph 0.
INFO: count=1 curr=99000 p5=99000 median=99000 p95=99000

INFO: count=20 first=42000 curr=40500 min=40100 max=45000 avg=41234.5 std=900 p5=40100 median=41000 p95=44900

INFO: Inference timings in us: Init: 17187, First inference: 99000, Warmup (avg): 99000, Inference (avg): 41234.5
INFO: Memory footprint delta from the start of the tool (MB): init=4.5 overall=10
"""
PROFILE = """============================== Run Order ==============================
\t  [node type]\t [start]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\tDelegate/Sigmoid (NC)\t 0.01\t 0.2\t 0.3\t 1.0%\t 61.0%\t 0.0\t 1\t[Delegate]:1
"""


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """A function that sets the phone's state; its attribute `folder` is where the stand-in works."""
    folder = tmp_path / "phone"
    folder.mkdir()
    script = folder / "adb"
    script.write_text(ADB.format(python=sys.executable, folder=str(folder)))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    state = {"devices": {"serial1": "device"}, "report": REPORT}

    def change(**changes):
        (folder / "phone.json").write_text(json.dumps(state | changes))

    change.folder = folder
    change()
    return change


@pytest.fixture
def tool(tmp_path):
    path = tmp_path / "android_aarch64_benchmark_model"
    path.write_text("a program")
    return path


def failure(capsys, *arguments):
    assert main(["benchmark", *arguments]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_file_is_pushed_timed_and_joins_the_table(phone, tool, small_file, tmp_path, capsys):
    table = tmp_path / "phones.csv"
    command = ["benchmark", str(small_file), "--adb", "--threads=4", "--runs=20", "--warmup=1", f"--csv={table}"]
    assert main([*command, f"--benchmark_model={tool}"]) == 0
    assert (phone.folder / "benchmark_model").read_text() == "a program"
    assert "mean 41.23 ms, 95th percentile 44.9 ms" in capsys.readouterr().out
    assert main(command) == 0  # the tool has stayed
    asked = (phone.folder / "asked.txt").read_text()
    assert "--num_threads=4" in asked and "--num_runs=20" in asked and "--warmup_runs=1" in asked
    assert not (phone.folder / "model.tflite").exists()
    with table.open(encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert first == second and tuple(first) == COLUMNS
    expected = {"model": "small", "numerics": "float32", "size": "16x24", "threads": "4", "runs": "20"}
    expected |= {"inference_median_ms": "41.0", "inference_min_ms": "40.1", "inference_p90_ms": "", "pre_median_ms": ""}
    expected |= {"operators": "4", "delegated": "3", "partitions": "2", "peak_memory_mb": "10.5"}
    expected |= {"cpu": "Maker Phone 8 Chip", "system": "Android 14 (API 34), benchmark_model"}
    assert {name: first[name] for name in expected} == expected


def test_operators_are_timed_on_the_phone(phone, tool, small_file, capsys):
    phone(report=REPORT + PROFILE)
    assert main(["benchmark", str(small_file), "--adb", f"--benchmark_model={tool}", "--operators"]) == 0
    assert "Sigmoid (NC)" in capsys.readouterr().out
    assert "--enable_op_profiling=true" in (phone.folder / "asked.txt").read_text()


def test_no_adb_is_one_sentence(small_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "There is no adb: install Android's platform-tools" in failure(capsys, str(small_file), "--adb")


@pytest.mark.parametrize(
    ("devices", "flag", "message"),
    [
        ({}, None, "No phone is connected: plug one in and turn on USB debugging. Received: no device"),
        ({"serial1": "unauthorized"}, None, "allow USB debugging. Received: serial1 unauthorized"),
        ({"serial1": "offline"}, None, "plug it in anew. Received: serial1 offline"),
        ({"serial1": "device", "b": "device"}, None, "choose with --serial. Received: serial1, b"),
        ({"serial1": "device"}, "--serial=c", "adb knows no such phone, only serial1. Received: c"),
    ],
)
def test_what_is_wrong_with_the_phone_is_one_sentence(phone, small_file, capsys, devices, flag, message):
    phone(devices=devices)
    assert message in failure(capsys, str(small_file), "--adb", *([flag] if flag else []))


def test_one_phone_of_several_is_chosen(phone, tool, small_file, monkeypatch):
    phone(devices={"a": "device", "serial1": "device"})
    command = ["benchmark", str(small_file), "--adb", f"--benchmark_model={tool}"]
    assert main([*command, "--serial=serial1"]) == 0
    monkeypatch.setenv("ANDROID_SERIAL", "serial1")
    assert main(command) == 0


def test_a_missing_tool_is_one_sentence(phone, small_file, tmp_path, capsys):
    assert "--benchmark_model=PATH" in failure(capsys, str(small_file), "--adb")
    message = failure(capsys, str(small_file), "--adb", f"--benchmark_model={tmp_path}/none")
    assert message.endswith(f"There is no benchmark_model there. Received: {tmp_path}/none")


def test_what_the_phone_says_is_passed_on(phone, tool, small_file, tmp_path, capsys):
    command = [str(small_file), "--adb", f"--benchmark_model={tool}"]
    phone(report="sh: benchmark_model: not executable: 64-bit ELF file", exit=126)
    message = failure(capsys, *command)
    assert message.endswith("adb shell failed. Received: sh: benchmark_model: not executable: 64-bit ELF file")
    assert not (phone.folder / "model.tflite").exists()  # nothing is left behind
    phone(report="ERROR: Failed to apply XNNPACK delegate.")
    assert failure(capsys, *command).endswith("on the phone. Received: ERROR: Failed to apply XNNPACK delegate.")
    phone(full=True)
    assert "No space left on device" in failure(capsys, *command)
    phone()
    other = tmp_path / "not.tflite"
    other.write_text("nothing of the kind")
    assert "The file is not a .tflite model" in failure(capsys, str(other), *command[1:])


def test_reports_of_older_tools_and_of_a_single_run_are_read():
    older = "count=9 first=5 curr=6 min=5 max=9 avg=58984.7 std=1\n"
    older += "count=50 first=1 curr=2 min=55000 max=3 avg=5.6e+04 std=9\n"
    row = read_report(older + "Inference timings in us: Init: 1, Inference (avg): 56000", "x")
    assert (row["runs"], row["inference_mean_ms"], row["inference_min_ms"], row["inference_median_ms"]) == (
        50,
        56,
        55,
        "",
    )
    assert row["partitions"] == "" and row["peak_memory_mb"] == ""
    single = read_report("count=1 curr=7000\nInference timings in us: Inference (avg): 7000", "x")
    assert (single["runs"], single["inference_mean_ms"], single["inference_min_ms"]) == (1, 7, 7)
    with pytest.raises(SodkerasError, match=r"did not run x on the phone. Received: no output"):
        read_report("", "x")
