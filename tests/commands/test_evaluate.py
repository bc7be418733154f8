import csv
import json
import re

import cv2
import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.commands import evaluate, main, startup
from sodkeras.metrics import METRICS, Evaluator
from sodkeras.pictures import write_png
from sodkeras.pictures.compositing import grey


def make_set(folder, count=5, seed=0):
    """images/, masks/ and two methods' maps, good/ and bad/; returns the masks by stem."""
    rng = np.random.default_rng(seed)
    masks = {}
    for name in ("images", "masks", "good", "bad"):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        mask = np.zeros((30, 40 + index), np.uint8)
        cv2.circle(mask, (20, 15), 6 + index, 255, -1)
        stem = f"photo{index}"
        masks[stem] = mask
        cv2.imwrite(str(folder / f"masks/{stem}.png"), mask)
        cv2.imwrite(str(folder / f"good/{stem}.png"), cv2.GaussianBlur(mask, (0, 0), 2))
        cv2.imwrite(str(folder / f"bad/{stem}.png"), rng.integers(0, 256, mask.shape, dtype=np.uint8))
        cv2.imwrite(str(folder / f"images/{stem}.jpg"), rng.integers(0, 256, (*mask.shape, 3), dtype=np.uint8))
    return masks


def scores(out):
    rows = json.loads((out / "scores.json").read_text(encoding="utf-8"))["scores"]
    return {(row["set"], row["method"]): row for row in rows}


def expected(maps, masks, **settings):
    evaluator = Evaluator(**settings)
    for stem, mask in masks.items():
        evaluator.update(cv2.imread(str(maps / f"{stem}.png"), cv2.IMREAD_GRAYSCALE), mask)
    return evaluator.result()


def test_a_folder_of_maps_against_a_folder_of_masks(tmp_path, capsys):
    masks = make_set(tmp_path / "pond")
    out = tmp_path / "out"
    assert main.main(["evaluate", f"{tmp_path}/pond/good", f"{tmp_path}/pond/masks", f"--out={out}"]) == 0
    row = scores(out)["pond", "good"]
    want = expected(tmp_path / "pond/good", masks)
    assert {name: row[name] for name in want} == want
    assert row["pictures"] == 5
    with (out / "scores.csv").open() as file:
        assert {name: float(value) for name, value in next(csv.DictReader(file)).items() if name in want} == want
    printed = capsys.readouterr().out
    for text in (printed, (out / "scores.md").read_text(), (out / "scores.tex").read_text()):
        assert f"{want['max_f']:.4f}" in text
        assert "precision and recall averaged over the pictures (levels > t, ε = 1e-4: SalMetric, the papers)" in text
        assert "floor(255·s)" in text
    assert "\\toprule" in (out / "scores.tex").read_text()
    curves = json.loads((out / "curves.json").read_text())["pond"]["good"]
    assert max(curves["f"]["f"]) == want["max_f"]
    for kind in ("precision_recall", "f"):
        assert cv2.imread(str(out / f"{kind}_pond.png")).std() > 5


def test_many_methods_on_many_sets_in_several_processes_give_the_same_bits(tmp_path):
    sets = {"pond": make_set(tmp_path / "pond", 20), "lake": make_set(tmp_path / "lake", 3, seed=1)}
    maps = tmp_path / "maps"
    for name in sets:
        maps.mkdir(exist_ok=True)
        (tmp_path / name / "bad").rename(maps / name)
    arguments = [f"--data={tmp_path}/{name}" for name in sets]
    arguments += [f"--maps=ours={tmp_path}/{{set}}/good", f"--maps=theirs={maps}", "--threshold=lake=0.25"]
    assert main.main(["evaluate", *arguments, "--processes=2", f"--out={tmp_path}/out"]) == 0
    rows = scores(tmp_path / "out")
    assert set(rows) == {(name, method) for name in sets for method in ("ours", "theirs")}
    for name, masks in sets.items():
        threshold = {"pond": 0.5, "lake": 0.25}[name]
        for method, folder in (("ours", tmp_path / name / "good"), ("theirs", maps / name)):
            want = expected(folder, masks, ground_truth_threshold=threshold)
            assert {key: rows[name, method][key] for key in want} == want
            assert rows[name, method]["ground_truth_threshold"] == threshold


class InvertedPicture:
    """Stands for `Predictor`: the map is what is dark in the picture."""

    def stream(self, images):
        for path in images:
            picture = cv2.imread(str(path))
            if picture is None:
                yield path, None, SodkerasError(f"damaged. Received: {path}")
            else:
                yield path, picture, np.float32(1) - picture[..., 0] / np.float32(255)


def test_a_model_is_scored_on_8_bit_maps_and_keeps_them(tmp_path, monkeypatch):
    masks = make_set(tmp_path / "pond")
    opened = []
    monkeypatch.setattr(startup, "open_predictor", lambda model: opened.append(model) or InvertedPicture())
    kept = tmp_path / "kept"
    arguments = ["--model=dark=some.keras", f"--data={tmp_path}/pond", f"--save_maps={kept}"]
    assert main.main(["evaluate", *arguments, f"--out={tmp_path}/out"]) == 0
    assert opened == ["some.keras"]
    row = scores(tmp_path / "out")["pond", "dark"]
    want = expected(kept / "dark/pond", masks)
    assert {name: row[name] for name in want} == want
    picture = cv2.imread(str(tmp_path / "pond/images/photo0.jpg"))[..., 0]
    saved = cv2.imread(str(kept / "dark/pond/photo0.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(
        saved, ((np.float32(1) - picture / np.float32(255)) * np.float32(255)).astype(np.uint8)
    )
    # `sodkeras predict` rounds to the nearest: never more than a level above.
    difference = grey(np.float32(1) - picture / np.float32(255)).astype(int) - saved
    assert set(np.unique(difference)) == {0, 1}
    # The files that a model leaves score as the model did.
    assert main.main(["evaluate", f"{kept}/dark", f"{tmp_path}/pond", f"--out={tmp_path}/again"]) == 0
    assert scores(tmp_path / "again")["pond", "dark"] == row


def test_one_bad_file_is_named_and_the_rest_is_scored(tmp_path, monkeypatch, capsys):
    masks = make_set(tmp_path / "pond")
    good = tmp_path / "pond/good"
    (good / "photo1.png").write_bytes((good / "photo1.png").read_bytes()[:60])
    cv2.imwrite(str(good / "photo2.png"), np.zeros((7, 7), np.uint8))
    (tmp_path / "pond/images/photo3.jpg").write_bytes(b"no picture")
    monkeypatch.setattr(startup, "open_predictor", lambda model: InvertedPicture())
    arguments = [f"--maps={good}", "--model=dark", f"--data={tmp_path}/pond", f"--out={tmp_path}/out"]
    assert main.main(["evaluate", *arguments]) == 1
    errors = capsys.readouterr().err
    for path, reason in (("photo1.png", "cut off"), ("photo2.png", "size"), ("photo3.jpg", "damaged")):
        assert any(path in line and reason in line for line in errors.splitlines())
    rows = scores(tmp_path / "out")
    assert list(rows) == [("pond", "good"), ("pond", "dark")]
    assert rows["pond", "good"]["pictures"] == 3
    assert rows["pond", "dark"]["pictures"] == 4
    want = expected(good, {stem: masks[stem] for stem in ("photo0", "photo3", "photo4")})
    assert rows["pond", "good"]["s"] == want["s"]


def test_maps_of_another_size_are_resized_when_asked(tmp_path):
    masks = make_set(tmp_path / "pond", 1)
    path = tmp_path / "pond/good/photo0.png"
    cv2.imwrite(str(path), cv2.resize(masks["photo0"], (80, 60), interpolation=cv2.INTER_NEAREST))
    arguments = ["evaluate", str(path.parent), f"{tmp_path}/pond", f"--out={tmp_path}/out"]
    assert main.main(arguments) == 1
    assert not (tmp_path / "out").exists()
    assert main.main([*arguments, "--resize"]) == 0
    assert scores(tmp_path / "out")["pond", "good"]["mae"] < 0.03


def test_a_missing_map_is_an_error_unless_allowed(tmp_path, capsys):
    make_set(tmp_path / "pond")
    (tmp_path / "pond/good/photo4.png").rename(tmp_path / "pond/good/photo9.png")
    (tmp_path / "pond/good/photo3.png").rename(tmp_path / "pond/good/photo3_map.png")  # as `sodkeras predict` writes it
    arguments = ["evaluate", f"{tmp_path}/pond/good", f"{tmp_path}/pond", f"--out={tmp_path}/out"]
    assert main.main(arguments) == 1
    assert "1 of the 5 masks of pond, such as photo4, have no partner" in capsys.readouterr().err
    assert main.main([*arguments, "--allow_missing"]) == 0
    assert scores(tmp_path / "out")["pond", "good"]["pictures"] == 4


def test_empty_masks_are_counted_or_left_out_and_said(tmp_path):
    masks = make_set(tmp_path / "pond")
    cv2.imwrite(str(tmp_path / "pond/masks/photo0.png"), np.zeros_like(masks["photo0"]))
    arguments = ["evaluate", f"{tmp_path}/pond/good", f"{tmp_path}/pond", f"--out={tmp_path}/out", "--metrics=f,mae"]
    for flag, words, pictures in (("--count_empty_masks", "count", 5), ("--nocount_empty_masks", "are left out", 4)):
        assert main.main([*arguments, flag]) == 0
        assert f"empty masks {words}: pond has 1" in (tmp_path / "out/scores.md").read_text()
        masks["photo0"] = np.zeros_like(masks["photo0"])
        want = expected(
            tmp_path / "pond/good", masks, metrics=["f", "mae"], count_empty_masks=flag == "--count_empty_masks"
        )
        row = scores(tmp_path / "out")["pond", "good"]
        assert {name: row[name] for name in want} == want
        assert row["pictures"] == pictures
        assert "s" not in row


@pytest.mark.parametrize(
    ("arguments", "code", "received"),
    [
        ([], 2, "name at least one set as --data"),
        (["{}/good"], 2, "Received: {}/good"),
        (["{}/good", "{}/masks", "--threshold=high"], 2, "Received: high"),
        (["{}/good", "{}/masks", "--threshold=lake=0.5"], 2, "Received: lake=0.5"),
        (["{}/good", "{}/masks", "--threshold=2"], 1, "Received: 2.0"),
        (["{}/good", "{}/masks", "--metrics=iou"], 1, "Received: iou"),
        (["{}/nothing", "{}/masks"], 1, "Received: {}/nothing"),
        (["{}/good", "{}/nothing"], 1, "Received: {}/nothing"),
        (["{}/good", "{}/masks", "--maps=good={}/bad"], 2, "Received: {}/good"),
        (["--maps={}/good", "--data={}", "--data=again={}"], 1, "Received: {}/good"),
        (["--model=u2netq", "--data={}"], 1, "Received: u2netq"),
    ],
)
def test_wrong_use_is_one_sentence_with_what_was_received(tmp_path, capsys, arguments, code, received):
    folder = tmp_path / "pond"
    make_set(folder, 1)
    texts = [text.replace("{}", str(folder)) for text in arguments]
    assert main.main(["evaluate", *texts, f"--out={tmp_path}/out"]) == code
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sodkeras")]
    assert len(errors) == 1
    assert received.replace("{}", str(folder)) in errors[0]
    assert not (tmp_path / "out").exists()


def test_the_default_is_every_metric():
    assert list(METRICS) == evaluate._METRICS


def rewrite(folder, change):
    """Writes every file of a folder anew, as `change` makes it of its array."""
    for path in sorted(folder.iterdir()):
        cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))


@pytest.mark.parametrize(
    "change",
    [
        lambda mask: mask // 255,
        lambda mask: mask // 127,
        lambda mask: mask.astype(np.uint16),
        lambda mask: np.dstack([np.zeros((*mask.shape, 3), np.uint8), mask]),
        lambda mask: np.dstack([mask * 0, mask * 0, mask // 2]),
    ],
)
def test_masks_score_alike_whichever_way_they_were_written(tmp_path, change):
    """Read as empty, they would give the inverted maps a perfect score."""
    masks = make_set(tmp_path / "pond")
    want = expected(tmp_path / "pond/good", masks)
    rewrite(tmp_path / "pond/masks", change)
    assert main.main(["evaluate", f"{tmp_path}/pond/good", f"{tmp_path}/pond/masks", f"--out={tmp_path}/out"]) == 0
    row = scores(tmp_path / "out")["pond", "good"]
    assert {name: row[name] for name in want} == want and row["empty_masks"] == 0


def test_cut_outs_as_maps_are_scored_by_their_alpha(tmp_path):
    masks = make_set(tmp_path / "pond")
    good = tmp_path / "pond/good"
    want = expected(good, masks)
    noise = np.random.default_rng(0)
    rewrite(good, lambda grey: np.dstack([noise.integers(0, 256, (*grey.shape, 3), dtype=np.uint8), grey]))
    assert main.main(["evaluate", str(good), f"{tmp_path}/pond/masks", f"--out={tmp_path}/out"]) == 0
    row = scores(tmp_path / "out")["pond", "good"]
    assert {name: row[name] for name in want} == want


def test_masks_of_classes_are_refused_unless_a_class_is_chosen(tmp_path, monkeypatch, capsys):
    masks = make_set(tmp_path / "pond")
    want = expected(tmp_path / "pond/good", masks)

    def with_another(mask):
        mask = mask // 255 * 15
        mask[:6, :6] = 220
        return mask

    rewrite(tmp_path / "pond/masks", with_another)
    arguments = [f"{tmp_path}/pond/good", f"{tmp_path}/pond/masks", f"--out={tmp_path}/out"]
    assert main.main(["evaluate", *arguments]) == 1
    errors = capsys.readouterr().err
    assert errors.count("choose one class with --mask_value=N") == 5 and "3 values: 0, 15, 220" in errors
    assert not (tmp_path / "out").exists()
    for processes in (1, 2):
        assert main.main(["evaluate", *arguments, "--mask_value=15", f"--processes={processes}"]) == 0
        row = scores(tmp_path / "out")["pond", "good"]
        assert {name: row[name] for name in want} == want
    monkeypatch.setattr(startup, "open_predictor", lambda model: InvertedPicture())
    model = ["--model=dark", f"--data={tmp_path}/pond", f"--out={tmp_path}/model"]
    assert main.main(["evaluate", *model, "--mask_value=15", f"--save_maps={tmp_path}/kept"]) == 0
    assert scores(tmp_path / "model")["pond", "dark"]["mae"] == expected(tmp_path / "kept/dark/pond", masks)["mae"]


@pytest.mark.parametrize(("value", "found"), [(0, "5 masks, all empty"), (255, "5 masks, all full")])
def test_a_set_without_objects_or_background_has_no_scores_and_others_have(tmp_path, capsys, value, found):
    make_set(tmp_path / "pond")
    make_set(tmp_path / "lake")
    rewrite(tmp_path / "pond/masks", lambda mask: np.full_like(mask, value))
    arguments = [f"--maps={tmp_path}/{{set}}/good", f"--data={tmp_path}/pond", f"--data={tmp_path}/lake"]
    assert main.main(["evaluate", *arguments, f"--out={tmp_path}/out"]) == 1
    (error,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("sodkeras"))
    assert "good on pond failed" in error and f"Received: {found} at the threshold 0.5" in error
    assert list(scores(tmp_path / "out")) == [("lake", "good")]


def test_some_empty_masks_are_told_aloud(tmp_path, capsys):
    make_set(tmp_path / "pond")
    path = tmp_path / "pond/masks/photo3.png"
    cv2.imwrite(str(path), np.zeros_like(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)))
    arguments = ["evaluate", f"{tmp_path}/pond/good", f"{tmp_path}/pond/masks", f"--out={tmp_path}/out"]
    for flags, words in ((["--count_empty_masks"], "count"), (["--nocount_empty_masks"], "are left out")):
        assert main.main([*arguments, *flags]) == 0
        said = capsys.readouterr().err.splitlines()
        assert f"warning: 1 of the 5 masks of pond are empty, and {words}" in said


def test_maps_of_0_and_1_have_no_scores(tmp_path, capsys):
    make_set(tmp_path / "pond")
    rewrite(tmp_path / "pond/bad", lambda grey: grey // 128)
    maps = [f"--maps={tmp_path}/pond/{name}" for name in ("good", "bad")]
    assert main.main(["evaluate", *maps, f"--data={tmp_path}/pond/masks", f"--out={tmp_path}/out"]) == 1
    assert "bad on pond failed: Scores mean nothing where every map is black" in capsys.readouterr().err
    assert list(scores(tmp_path / "out")) == [("pond", "good")]


def test_inverted_maps_are_told_of_and_maps_are_found_by_either_name(tmp_path, capsys):
    inside = np.zeros((20, 30), np.uint8)
    inside[5:12, 6:15] = 255
    for stem in ("a_map", "b_map"):
        write_png(tmp_path / "masks" / f"{stem}.png", inside)
        write_png(tmp_path / "right" / f"{stem}.png", inside)
        write_png(tmp_path / "wrong" / f"{stem}.png", 255 - inside)
    command = [
        "evaluate",
        f"--maps={tmp_path / 'right'}",
        f"--maps={tmp_path / 'wrong'}",
        f"--data={tmp_path / 'masks'}",
    ]
    assert main.main([*command, f"--out={tmp_path / 'out'}"]) == 0
    said = capsys.readouterr().err
    assert said.count("inverted?") == 1 and re.search(r"wrong on .* MAE of 0\.000", said)
