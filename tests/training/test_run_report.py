import base64
import json
import os
import random
import re

import cv2
import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.metrics.tables import ScoreTable
from sodkeras.training.run_charts import curves, log_numbers
from sodkeras.training.run_report import write_report
from sodkeras.training.settings import read_recipe

LOG = """epoch,step,seconds,learning_rate,loss,mae,val_loss,val_mae,gamma_sparsity
1,6,30.5,0.003,2.5,0.4,0.8,0.31,0
2,12,29.5,0.003,1.5,0.3,0.6,0.21,0.25
3,18,30,0.0003,nan,0.2,0.7,0.24,0.5
"""


def make_run(folder, epochs=3, sets=("horses",)):
    """A run's folder, as training leaves it."""
    settings = read_recipe("csnet", short=True).changed({"epochs": epochs, "arguments.width": 2.0})
    record = {"recipe": "csnet", "short": True, "changes": {}, "settings": settings.to_dict()}
    record |= {"data": {"training": 96, "validation": 24, "sets": list(sets)}, "versions": {"keras": "3.15.1"}}
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(record))
    (folder / "log.csv").write_text(LOG)
    return record


def add_samples(folder, name="01-horses-horse001", epochs=(1, 3)):
    place = folder / "samples" / name
    place.mkdir(parents=True)
    picture = np.full((8, 12, 3), (10, 200, 90), np.uint8)
    cv2.imwrite(str(place / "picture.jpg"), picture)
    for name, level in [("mask", 255), *((f"map-{epoch:04}", 20 * epoch) for epoch in epochs)]:
        cv2.imwrite(str(place / f"{name}.png"), np.full((8, 12), level, np.uint8))


def add_scores(folder, rows=None):
    row = {"set": "horses", "method": "best", "pictures": 24, "empty_masks": 0, "ground_truth_threshold": 0.5}
    row |= {"mae": 0.08211, "max_f": 0.87654}
    ScoreTable(rows or [row], ["maps: 8 bit, floor(255·s)", "F-measure & co"]).write(folder / "evaluation")


def read(path):
    """A page's text without its pictures, and the pictures by caption."""
    page = path.read_text(encoding="utf-8")
    assert "http" not in page and "<script" not in page and "@import" not in page
    found = re.findall(r'<img alt="([^"]*)" src="data:image/\w+;base64,([^"]+)">', page)
    pictures = [(alt, cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), 1)) for alt, text in found]
    assert page.count("src=") == len(pictures)
    return re.sub(r'src="[^"]*"', "", page), pictures


def test_the_page_shows_settings_curves_scores_and_how_the_maps_grew(tmp_path):
    run = tmp_path / "run"
    make_run(run)
    add_samples(run)
    add_scores(run)
    path = write_report(run)
    assert path == run / "report.html"
    text, pictures = read(path)
    assert "CSNet, recipe csnet, its short version. Epoch 3 of 3, step 18, 01:30 of training and validation." in text
    assert "96 pictures to train on and 24 to validate with, of horses." in text
    # What differs from the recipe, and nothing else.
    usual = read_recipe("csnet", short=True)
    first_table = text[: text.index("<h2>Curves")]
    for name, here, there in (("epochs", 3, usual.epochs), ("arguments", {"width": 2.0}, {"width": 1.0})):
        cells = "".join(rf"<td>{re.escape(cell)}\s*</td>" for cell in (name, _cell(there), _cell(here)))
        assert re.search(cells, first_table)
    assert first_table.count("<tr>") == 3
    assert [caption for caption, _ in pictures[:4]] == [
        "loss and val_loss",
        "learning rate",
        "share of γ under 1e-20",
        "mae",
    ]
    assert [caption for caption, _ in pictures[4:]] == ["picture", "mask", "epoch 1", "epoch 3"]
    for (_, picture), level in zip(pictures[5:], (255, 20, 60), strict=True):
        assert (picture == level).all()
    for _, chart in pictures[:4]:
        assert (chart.std(axis=-1) > 20).sum() > 100  # coloured lines, not an empty frame
    assert "horses-horse001" in text
    assert "0.8765" in text and "0.0821" in text
    assert "maps: 8 bit, floor(255·s)" in text and "F-measure &amp; co" in text
    # The validation's last and best results: the lowest.
    assert re.search(r"<td>val_mae\s*</td><td>0.2400\s*</td><td>0.2100\s*</td><td>2\s*</td>", text)


def _cell(value):
    import html

    return html.escape(json.dumps(value))


def test_an_unfinished_run_has_a_page_too(tmp_path):
    run = tmp_path / "run"
    make_run(run, epochs=20)
    text, _ = read(write_report(run))
    assert "The run is unfinished: epoch 3 of 20, step 18" in text
    (run / "log.csv").write_text("epoch,step\n")
    text, pictures = read(write_report(run))
    assert "No epoch is finished yet." in text
    assert pictures == []


def test_generated_pictures_are_called_so(tmp_path):
    run = tmp_path / "run"
    make_run(run, sets=("synthetic", "horses"))
    row = {"set": "validation", "method": "best", "pictures": 4, "empty_masks": 0, "ground_truth_threshold": 0.5}
    add_scores(run, [row | {"mae": 0.1}])
    text, _ = read(write_report(run))
    scores = text[text.index("<h2>Evaluation") :]
    assert "generated pictures, no photos: synthetic." in scores


def test_the_fine_tuning_of_a_pruned_network_is_on_the_page(tmp_path):
    run = tmp_path / "run"
    make_run(run)
    make_run(run / "pruned", epochs=5)
    add_samples(run / "pruned", "01-horses-horse009")
    text, pictures = read(write_report(run))
    fine_tuning = text[text.index("<h2>Fine-tuning") :]
    assert "The run is unfinished: epoch 3 of 5" in fine_tuning
    assert "horses-horse009" in fine_tuning
    assert len(pictures) == 4 + 4 + 4


def test_a_recipe_that_is_gone_leaves_the_changes(tmp_path):
    run = tmp_path / "run"
    record = make_run(run)
    record |= {"recipe": "gone.py", "changes": {"learning_rate": 0.125}}
    (run / "settings.json").write_text(json.dumps(record))
    text, _ = read(write_report(run))
    assert re.search(r"<td>learning_rate\s*</td><td>0.125\s*</td>", text)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("settings.json", None),
        ("settings.json", b"{"),
        ("settings.json", b"[1]"),
        ("settings.json", b"\xff\xfe"),
        ("log.csv", None),
        ("log.csv", b""),
        ("log.csv", b"epoch,step\n1,two\n"),
        ("evaluation/scores.json", b"{}"),
        ("evaluation/scores.json", b'{"conventions": [], "scores": [{"mae": 1}]}'),
        ("evaluation/scores.json", b'{"conventions": '),
        ("samples/01-horses-horse001/picture.jpg", None),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, file, content):
    run = tmp_path / "run"
    make_run(run)
    add_samples(run)
    add_scores(run)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    with pytest.raises(SodkerasError) as caught:
        write_report(run)
    received = run if (file, content) == ("settings.json", None) else run / file
    assert str(caught.value).endswith(f"Received: {received}")
    assert not (run / "report.html").exists()


def test_a_training_loss_that_dwarfs_the_validations_has_a_chart_of_its_own(tmp_path):
    run = tmp_path / "run"
    make_run(run)
    rows = log_numbers(run)
    assert next(iter(curves({"run": rows})))[0] == "loss and val_loss"
    for row in rows:
        row["loss"] = 1000.0
    assert [caption for caption, *_ in curves({"run": rows})][:2] == ["loss", "val_loss"]


def test_a_recipe_in_the_folder_is_a_name_and_is_not_run(tmp_path, monkeypatch):
    run = tmp_path / "run"
    record = make_run(run)
    (run / "notes.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nSETTINGS = {{}}\n")
    monkeypatch.chdir(run)
    for recipe in ("notes.py", str(run / "notes.py"), "../run/notes.py", "os", "__init__", "csnet.py", ""):
        (run / "settings.json").write_text(json.dumps(record | {"recipe": recipe, "changes": {"seed": 7}}))
        text, _ = read(write_report(run))
        assert f"recipe {recipe}, its short version" in text or not recipe
        assert not recipe or re.search(r"<td>seed\s*</td><td>7\s*</td>", text)
    assert not (tmp_path / "ran").exists()


SECRET = "the password is swordfish"


@pytest.mark.parametrize(
    "place",
    [
        "settings.json",
        "log.csv",
        "samples/01-horses-horse001/picture.jpg",
        "samples/01-horses-horse001/map-0003.png",
        "samples/01-horses-horse001",
        "samples",
        "evaluation/scores.json",
        "evaluation/secret.png",
        "evaluation",
        "pruned",
    ],
)
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path, place):
    """And a file beside it that has the very content it should have is refused, too."""
    run, others = tmp_path / "run", tmp_path / "others"
    for folder in (run, others):
        make_run(folder)
        make_run(folder / "pruned")
        add_samples(folder)
        add_scores(folder)
        cv2.imwrite(str(folder / "evaluation/secret.png"), np.zeros((8, 8), np.uint8))
    path = run / place
    path.rename(tmp_path / "was_there")
    path.symlink_to(others / place, target_is_directory=(others / place).is_dir())
    with pytest.raises(SodkerasError, match=r"leads out of the run's folder.*Received: ") as caught:
        write_report(run)
    assert str(caught.value).split("Received: ")[1].startswith(str(path))
    assert not (run / "report.html").exists()
    path.unlink()
    path.symlink_to(os.path.relpath(others / place, path.parent))
    with pytest.raises(SodkerasError, match="leads out"):
        write_report(run)


def test_a_link_inside_the_folder_and_a_folder_named_by_a_link_serve(tmp_path, monkeypatch):
    run = tmp_path / "run"
    make_run(run)
    add_samples(run)
    (run / "samples/01-horses-horse001/map-0003.png").unlink()
    (run / "samples/01-horses-horse001/map-0003.png").symlink_to("map-0001.png")
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path)
    for folder in ("link", "run", str(run)):
        assert [caption for caption, _ in read(write_report(folder))[1][4:]] == [
            "picture",
            "mask",
            "epoch 1",
            "epoch 3",
        ]


@pytest.mark.parametrize("place", ["samples/01-horses-horse001/map-0003.png", "evaluation/curve.png"])
def test_nothing_but_pixels_comes_onto_the_page(tmp_path, place):
    run = tmp_path / "run"
    make_run(run)
    add_samples(run)
    add_scores(run)
    png = cv2.imencode(".png", np.full((8, 12), 60, np.uint8))[1].tobytes()
    (run / place).write_bytes(png + SECRET.encode())
    page = write_report(run).read_text(encoding="utf-8")
    pictures = [base64.b64decode(text) for text in re.findall('base64,([^"]+)', page)]
    assert len(pictures) > 7 and not any(SECRET.encode() in picture for picture in pictures)
    for content in (SECRET.encode(), b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"", png[:-30]):
        (run / place).write_bytes(content)
        with pytest.raises(SodkerasError, match=f"Received: {run / place}"):
            write_report(run)
    (run / place).unlink()
    os.mkfifo(run / place)
    with pytest.raises(SodkerasError, match=f"a pipe or a device.*Received: {run / place}"):
        write_report(run)


def test_names_in_the_files_are_text_and_lead_nowhere(tmp_path):
    run = tmp_path / "run"
    record = make_run(run, sets=("../../etc/passwd", "/etc/passwd", "<b>", "\ud800"))
    record["settings"] |= {"model": "/etc/passwd", "initial_weights": "../../secret.keras"}
    (run / "settings.json").write_text(json.dumps(record))
    row = {"set": "../../etc/passwd", "method": "$x^$", "pictures": 24, "empty_masks": 0, "mae": 0.1}
    add_scores(run, [row | {"ground_truth_threshold": 0.5}])
    text, _ = read(write_report(run))
    assert "<td>../../etc/passwd" in text and "&lt;b&gt;" in text and "root:" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"settings": []},
        {"settings": {"epochs": "ten"}},
        {"recipe": ["csnet"]},
        {"changes": [1]},
        {"data": [1]},
        {"data": {"sets": "horses"}},
        {"data": {"sets": [1, None]}},
    ],
)
def test_a_record_of_another_kind_is_one_sentence(tmp_path, change):
    run = tmp_path / "run"
    record = make_run(run)
    (run / "settings.json").write_text(json.dumps(record | change))
    with pytest.raises(SodkerasError, match=rf"no settings of a training run.*Received: {run}/settings\.json"):
        write_report(run)


LOGS = [
    "epoch,step\n1e400,1\n",
    "epoch,step\n-1,1\n",
    f"epoch,step\n1,{'9' * 400}\n",
    "epoch,step,seconds,loss\n1,1,inf,1e308\n2,2,nan,-1e308\n3,3,1e308,5e-324\n4,4,1e308,0\n",
    "epoch,step,$x^,_y,\n1,1,2,3,4\n2,2,3,4,5\n",
    "epoch,step,loss\n1,1\n2,2,3\n",
    "step,epoch,step\n1,1,2\n",
]


@pytest.mark.parametrize("log", LOGS)
def test_a_log_of_any_numbers_is_drawn_or_refused(tmp_path, log):
    run = tmp_path / "$a_ run"
    make_run(run)
    (run / "log.csv").write_text(log)
    try:
        write_report(run)
    except SodkerasError as error:
        assert str(error).endswith(f"Received: {run / 'log.csv'}")


VALUES = [None, True, -1, 10**400, 1e999, "", "\ud800", "../../x", [], [[]], {}, {"": {}}, [None], "[" * 50]


def values_changed(value, rng):
    """The value with one part of it, at any depth, replaced or left out."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.8:
        copy = value.copy()
        key = rng.choice(list(copy) if isinstance(copy, dict) else range(len(copy)))
        if rng.random() < 0.2:
            del copy[key]
        else:
            copy[key] = values_changed(copy[key], rng)
        return copy
    return rng.choice(VALUES)


def test_a_changed_file_gives_a_page_or_one_sentence(tmp_path, monkeypatch):
    """The charts, which take most of the time, are tried above."""
    monkeypatch.setattr("sodkeras.training.run_report.curves", lambda runs: [])
    run = tmp_path / "run"
    make_run(run)
    add_samples(run)
    add_scores(run)
    rng = random.Random(0)
    for name in ("settings.json", "evaluation/scores.json", "log.csv"):
        content = (run / name).read_bytes()
        for number in range(100):
            if number % 2 and name.endswith(".json"):
                changed = json.dumps(values_changed(json.loads(content), rng)).encode()
            else:
                changed = bytearray(content)
                start = rng.randrange(len(content))
                changed[start : start + rng.choice([1, 9])] = rng.randbytes(rng.choice([0, 1, 9]))
            (run / name).write_bytes(changed)
            try:
                write_report(run)
            except SodkerasError as error:
                assert str(error).endswith(f"Received: {run / name}")
        (run / name).write_bytes(b"[" * 100_000 if name.endswith(".json") else b"\0" * 1000)
        with pytest.raises(SodkerasError, match=f"Received: {run / name}"):
            write_report(run)
        (run / name).write_bytes(content)
    (run / "samples/01-horses-horse001/map-last.png").write_bytes(b"no number, and not shown")
    write_report(run)
