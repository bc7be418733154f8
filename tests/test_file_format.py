"""docs/file_format.md is true: what is written has its keys and types, and each reader reads the keys that it says."""

import collections
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess

import pytest

from helpers import tiny_model, write_photo
from sodkeras import Preprocessing, SodkerasError, lite_metadata, weights
from sodkeras.lite_metadata import read_metadata
from sodkeras.runtimes import LiteRTRuntime
from sodkeras.tflite.convert import convert
from sodkeras.tflite.quantize_train import quantize_train

ROOT = pathlib.Path(__file__).resolve().parent.parent
JAVA = ROOT / "android_demo/core/src/main/java/org/sodkeras/core"
Key = collections.namedtuple("Key", "type written needed_by read_by since", defaults=("", "", ""))


def table(name):
    """A table of the document: a `Key` for each key."""
    text = (ROOT / "docs/file_format.md").read_text(encoding="utf-8")
    part = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", text, re.S)[1]
    header, _, *lines = (re.split(r"\s*\|\s*", line.strip("| \n")) for line in part.strip().splitlines())
    columns = [column.replace(" ", "_") for column in header]
    rows = [dict(zip(columns, cells, strict=False)) for cells in lines]
    return {row["key"].strip("`"): Key(*(row[name] for name in Key._fields if name in columns)) for row in rows}


KEYS = table("keys")
KINDS = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "null": type(None),
}


def has_type(value, words):
    for word in words.split(" or "):
        if word.startswith("list of "):
            if isinstance(value, list) and all(has_type(one, word[len("list of ") : -1]) for one in value):
                return True
        elif isinstance(value, KINDS[word]) and (isinstance(value, bool) == (word == "boolean")):
            return True
    return False


def check(values, keys, path=""):
    """That all of an object is in a table, as the type that it says; gives the paths found."""
    found = set()
    for key, value in values.items():
        name = path + key
        assert name in keys, f"docs/file_format.md does not say what {name} is"
        assert has_type(value, keys[name].type), f"{name} is to be {keys[name].type}. Received: {value!r}"
        found.add(name)
        if isinstance(value, dict) and any(known.startswith(f"{name}.") for known in keys):
            found |= check(value, keys, f"{name}.")
    return found


def read_by(who, column="read_by"):
    return {name for name, key in KEYS.items() if who in getattr(key, column).split(", ")}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What convert says of files in all numerics, with a budget, and with all inside."""
    folder = tmp_path_factory.mktemp("written")
    for seed in range(4):
        write_photo(folder / f"{seed}.png", seed=seed)
    numerics = ["float16", "dynamic", "int8"]
    everything = ("normalisation", "resize", "sigmoid")
    paths = convert(tiny_model(), folder, numerics, folder, inside=everything, mae_budget=0.5)
    return [read_metadata(path.read_bytes(), path) for path in paths]


def test_what_convert_writes_is_documented(written):
    found = [check(metadata, KEYS) for metadata in written]
    always = {name for name, key in KEYS.items() if key.written == "always"}
    for of_one in found:
        assert always <= of_one, f"not always written: {always - of_one}"
    for name in weights.file_names():
        path = weights.cached(name)
        if path and path.suffix == ".tflite":
            found.append(check(read_metadata(path.read_bytes(), path), KEYS))
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", key.since) for key in KEYS.values())
    not_found = {name for name, key in KEYS.items() if "quantize-train" not in key.written} - set().union(*found)
    assert not not_found, f"nobody writes what docs/file_format.md has: {not_found}"


def test_what_quantize_train_writes_is_documented(tmp_path):
    for seed in range(4):
        write_photo(tmp_path / f"{seed}.png", seed=seed)
    path, _ = quantize_train(tiny_model(), tmp_path / "out", pictures=tmp_path, steps=2, batch=2)
    found = check(read_metadata(path.read_bytes(), path), KEYS)
    assert {name for name, key in KEYS.items() if "quantize-train" in key.written or key.written == "always"} <= found


class Watched(dict):
    """A dict that notes which of its keys are asked for."""

    def __init__(self, values):
        super().__init__(values)
        self.asked = set()

    def __getitem__(self, key):
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.asked.add(key)
        return super().get(key, default)


def test_python_reads_what_the_table_says(written):
    path = weights.fetch("u2netp_int8")
    metadata = Watched(read_metadata(path.read_bytes(), path))
    LiteRTRuntime(path, metadata=metadata)
    assert metadata.asked == {name for name in read_by("Python") if "." not in name}
    steps = {field.name for field in dataclasses.fields(Preprocessing)}
    assert {f"preprocessing.{name}" for name in steps} == {
        name for name in read_by("Python") if name.startswith("preprocessing.")
    }
    inside = set(written[-1]["normalisation_inside"])
    assert {f"normalisation_inside.{name}" for name in inside} == {
        name for name in read_by("Python") if name.startswith("normalisation_inside.")
    }


def without(values, name):
    """A copy of nested dicts without a key that is named by its path."""
    key, _, rest = name.partition(".")
    return {k: without(v, rest) if k == key else v for k, v in values.items() if rest or k != key}


def replaced(values, name, new):
    key, _, rest = name.partition(".")
    return values | {key: replaced(values[key], rest, new) if rest else new}


@pytest.fixture
def python_takes(monkeypatch):
    """Whether Python takes a file that says this of itself."""

    def takes(metadata):
        monkeypatch.setattr(lite_metadata, "_find", lambda content: json.dumps(metadata))
        try:
            read_metadata(b"", "file.tflite")
        except SodkerasError:
            return False
        return True

    return takes


def test_python_refuses_a_file_without_what_it_needs(written, python_takes):
    for metadata in written:
        assert python_takes(metadata)
        refused = {name for name in check(metadata, KEYS) if not python_takes(without(metadata, name))}
        assert refused == read_by("Python", "needed_by")


def test_python_refuses_other_types_of_what_it_reads(written, python_takes):
    metadata = written[-1]
    for name in read_by("Python"):
        wrong = next(value for value in ("words", 7, [7]) if not has_type(value, KEYS[name].type))
        assert not python_takes(replaced(metadata, name, wrong)), f"{name}={wrong}"


def java_reads(file, path=""):
    """The keys that a class of the app's reads of a JSON: (all, those without which it ends)."""
    source = (JAVA / f"{file}.java").read_text("utf-8")
    places = {"json": path}
    places |= {
        variable: f"{path}{key}."
        for variable, key in re.findall(r"JSONObject (\w+) = json\.\w+\(\s*\"(\w+)\"\)", source)
    }
    calls = re.findall(r"\b(\w+)\.(get|opt|is|has)\w*\(\s*\"(\w+)\"", source)
    calls += [("json", "get", key) for key in re.findall(r"three\(json, \"(\w+)\"\)", source)]
    assert {variable for variable, *_ in calls} <= set(places), "a JSON that this test does not know"
    read = {places[variable] + key for variable, _, key in calls}
    optional = {places[variable] + key for variable, how, key in calls if how != "get"}
    needed = read - optional
    for other, key in re.findall(r"(\w+)\.read\(json\.getJSONObject\(\"(\w+)\"\)\)", source):
        more, more_needed = java_reads(other, f"{path}{key}.")
        read, needed = read | more, needed | more_needed
    return read, needed


def test_java_reads_what_the_table_says():
    read, needed = java_reads("ModelMetadata")
    assert read == read_by("app")
    assert needed == read_by("app", "needed_by")


@pytest.fixture
def page():
    """What the page makes of a description: the keys that it reads, or its sentence."""
    if not shutil.which("node"):
        pytest.skip("no node on this machine (Debian: apt-get install nodejs)")

    def run(description):
        job = json.dumps({"step": "keys", "description": description})
        command = ["node", "tests/pixels.mjs"]
        done = subprocess.run(command, cwd=ROOT / "web_demo", input=job, capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        return answer["error"] if "error" in answer else set(answer["result"])

    return run


def test_javascript_reads_what_the_table_says(written, page):
    (metadata,) = (one for one in written if one["numerics"] == "static_wi8_ai8")
    assert page(metadata) == read_by("page")
    names = read_by("page")
    assert {name for name in names if isinstance(page(without(metadata, name)), str)} == read_by("page", "needed_by")


def test_presets_are_as_documented():
    keys = table("preset")
    found = [check(json.loads(path.read_text("utf-8")), keys) for path in weights._PRESETS.glob("*.json")]
    assert len(found) == len(weights.preset_names())
    assert set().union(*found) == set(keys)
    always = {name for name, key in keys.items() if key.written == "always"}
    assert all(always <= of_one for of_one in found)
