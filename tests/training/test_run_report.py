import base64
import json
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
