"""The command line's common ground: flags that are the same everywhere, JSON, silence."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from helpers import photo, tiny_model, write_photo
from sodkeras.commands.main import main
from sodkeras.commands.options import Options
from sodkeras.complexity import complexity
from sodkeras.errors import UsageError
from sodkeras.progress import QUIET, is_quiet
from sodkeras.tflite.convert import convert


def make_options():
    defined = Options()
    defined.model()
    defined.out(default="here")
    defined.size("Of something.")
    defined.pictures()
    defined.several("data", "Sets.")
    defined.number("share", None, "Of it.", most=1)
    defined.json()
    return defined


def test_flags_by_long_and_short_names():
    values, rest = make_options().read("a", ["b.tflite", "-m", "u2netp", "-o", "there", "--data=x", "--data=y", "c"])
    assert (values.model, values.out, values.data, rest) == ("u2netp", "there", ["x", "y"], ["b.tflite", "c"])
    values, _ = make_options().read(
        "a", ["-m=u2netp", "--size=240x320", "--pictures=a.jpg,b.jpg", "--json", "--share=0.5"]
    )
    assert values.size == (240, 320) and values.pictures == ["a.jpg", "b.jpg"] and values.json and values.share == 0.5
    assert (values.out, values.data) == ("here", [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name --model"),
        (["u2netp"], "name --model. Received: u2netp"),
        (["--model=a", "--sise=2"], "Did you mean: size"),
        *((["--model=a", f"--size={size}"], "HEIGHTxWIDTH") for size in ("224", "0x9", "9x", "-1x2", "2×3", "axb", "")),
        (["--model=a", "--share=2"], "share"),
        (["--model"], "model"),
    ],
)
def test_wrong_flags(arguments, words):
    with pytest.raises(UsageError, match=words):
        make_options().read("a", arguments)


def test_the_help_says_each_flag_once_with_its_short_name():
    lines = make_options().help().splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [
        "--data",
        "--json",
        "--model, -m",
        "--out, -o",
        "--pictures",
        "--share",
        "--size",
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A tiny network in both forms, two photos with masks, and maps of them."""
    folder = tmp_path_factory.mktemp("json")
    model = tiny_model()
    model.save(folder / "tiny.keras")
    (lite,) = convert(model, folder)
    for seed in range(2):
        (folder / "set" / "images").mkdir(exist_ok=True, parents=True)
        write_photo(folder / "set" / "images" / f"{seed}.png", seed=seed)
        mask = np.uint8(photo(seed=seed)[..., 0] > 150) * 255
        for name in ("set/masks", "maps"):
            (folder / name).mkdir(exist_ok=True, parents=True)
            cv2.imwrite(str(folder / name / f"{seed}.png"), mask)
    return folder, lite


def test_a_verb_that_prints_a_table_prints_json_and_nothing_else(files, tmp_path, capsys):
    folder, lite = files
    out, network, a_set = f"--out={tmp_path / 'out'}", f"--model={folder / 'tiny.keras'}", folder / "set"

    def answer(*argv, code=0):
        assert main([*map(str, argv), "--json"]) == code
        return json.loads(capsys.readouterr().out)

    assert answer("flops", network)["parameters"] == complexity(tiny_model()).parameters
    assert {layer["kind"] for layer in answer("flops", network, "--layers")["layers"]} >= {"Conv2D"}
    listed = {row["name"]: row for row in answer("weights", "list")}
    assert listed["u2netp"]["best"] == "int8" and listed["u2netp"]["files"]["u2netp_int8"]["path"]
    found = answer("data", a_set, "--check")
    assert found["sets"][0]["pairs"] == 2 and isinstance(found["problems"], list)
    scores = answer("evaluate", folder / "maps", a_set / "masks", out, "--metrics=mae")
    assert scores["scores"][0]["mae"] < 1 / 255 and scores["conventions"]
    assert answer("verify", lite, network, f"--pictures={a_set / 'images'}")["agree"] is True
    (row,) = answer("benchmark", lite, "--runs=1", "--operators", f"--pictures={a_set / 'images'}")
    assert row["inference_median_ms"] > 0 and row["operator_times"][0]["milliseconds"] >= 0
    assert answer("train", "--recipe=csnet", "--settings", "--size=64x96")["size"] == [64, 96]


def test_quiet_leaves_results_warnings_and_errors(files, tmp_path):
    folder, lite = files

    def run(*arguments):
        return subprocess.run([sys.executable, "-m", "sodkeras", *map(str, arguments)], capture_output=True, text=True)

    (tmp_path / "raw.dng").write_bytes(b"raw")
    write_photo(tmp_path / "2.png", seed=2)
    pictures = [folder / "set" / "images", tmp_path, f"--model={lite}", f"--out={tmp_path / 'maps'}"]
    loud, quiet = run("predict", *pictures), run("predict", *pictures, "--quiet")
    assert "raw.dng" in loud.stderr and "100%" in loud.stderr and loud.returncode == quiet.returncode == 0
    assert quiet.stderr == "" and quiet.stdout == loud.stdout
    convert = run("convert", f"--model={folder / 'tiny.keras'}", f"--out={tmp_path}", "--quiet")
    assert convert.stderr == "" and "tiny-32x48-float32.tflite" in convert.stdout
    failed = run("predict", tmp_path / "none.jpg", "--quiet")
    assert failed.returncode == 1 and failed.stderr.count("\n") == 1 and "none.jpg" in failed.stderr


def test_what_a_command_sets_for_its_processes_ends_with_it(files, monkeypatch):
    folder, _ = files
    monkeypatch.delenv(QUIET, raising=False)
    seen = []
    monkeypatch.setattr("sodkeras.complexity.complexity", lambda *arguments: seen.append(is_quiet()))
    assert main(["flops", f"--model={folder / 'tiny.keras'}", "--quiet"]) == 1
    assert seen == [True] and not is_quiet()
