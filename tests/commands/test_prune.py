"""`sodkeras prune` as a user meets it."""

import dataclasses
import json

import pytest

from helpers import tiny_model, write_photo
from sodkeras.commands.main import main
from sodkeras.complexity import complexity
from sodkeras.keras_file import load_keras
from sodkeras.models import CSNet


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(3):
        write_photo(folder / f"{seed}.png", seed=seed)
    (folder / "broken.png").write_bytes(b"a text")
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    model = tiny_model()
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    model.save(path)
    return model, path


def test_a_smaller_network_and_what_it_lost_are_given(network, photos, tmp_path, capsys):
    model, path = network
    out = tmp_path / "new" / "smaller.keras"
    assert main(["prune", f"--model={path}", f"--pictures={photos}", "--tolerance=0.3", f"--out={out}"]) == 0
    smaller, record = load_keras(out), json.loads(out.with_suffix(".json").read_text())
    shown = capsys.readouterr()
    assert smaller.name == "smaller" and smaller.preprocessing == model.preprocessing
    before, after = (complexity(one).parameters for one in (model, smaller))
    assert record["pictures"] == ["0.png", "1.png", "2.png"] and record["parameters"] == [before, after]
    assert f"{100 * record['lost']['fusion_conv']:.1f} % of the logits' variance lost" in shown.out
    assert after < before and f"{before:,} → {after:,} parameters" in shown.out
    assert "on these 3 pictures" in shown.out and "sodkeras prune: left out," in shown.err and "broken.png" in shown.err


def test_one_for_smaller_pictures(network, photos, tmp_path):
    model, path = network
    out = tmp_path / "small.keras"
    side = model.preprocessing.size[0] // 2
    assert main(["prune", f"--model={path}", f"--pictures={photos}", f"--size={side}x{side}", f"--out={out}"]) == 0
    smaller, record = load_keras(out), json.loads(out.with_suffix(".json").read_text())
    assert smaller.preprocessing == dataclasses.replace(model.preprocessing, size=(side, side))
    assert record["size"] == [side, side] and 4 * record["multiply_adds"][1] <= record["multiply_adds"][0]


@pytest.mark.parametrize(
    "flags, code, words",
    [
        (["--out=small.tflite"], 2, "--out=FILE.keras"),
        (["--filters=2,two"], 2, "whole numbers. Received: two"),
        (["--filters=2,2"], 1, "Received: [2, 2]"),
        (["--pictures=missing"], 1, "missing"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_no_file(
    network, photos, tmp_path, capsys, monkeypatch, flags, code, words
):
    monkeypatch.chdir(tmp_path)
    given = ["prune", f"--model={network[1]}", f"--pictures={photos / '0.png'}", "--out=small.keras", *flags]
    assert main(given) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sodkeras")]
    assert len(lines) == 1 and words in lines[0]
    assert not list(tmp_path.iterdir())


def test_another_network_is_refused(photos, tmp_path, capsys):
    CSNet(width=1, input_shape=(32, 32, 3)).save(tmp_path / "csnet.keras")
    assert (
        main(["prune", f"--model={tmp_path / 'csnet.keras'}", f"--pictures={photos}", f"--out={tmp_path / 's.keras'}"])
        == 1
    )
    assert "pruned by its own weights, without pictures" in capsys.readouterr().err
    assert not (tmp_path / "s.keras").exists()
