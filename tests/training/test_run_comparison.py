import base64
import json
import re

import cv2
import numpy as np
import pytest

from sodkeras import SodkerasError
from sodkeras.commands import main
from sodkeras.metrics.tables import ScoreTable
from sodkeras.training.run_comparison import write_comparison

LOG = "epoch,step,loss,val_loss\n1,10,2.0,{}\n2,20,1.0,{}\n"


def make_run(folder, rate, val_loss, mae):
    settings = {"model": "CSNet", "epochs": 2, "learning_rate": rate}
    folder.mkdir(parents=True)
    record = {"settings": settings, "data": {"training": 9, "validation": 1, "sets": ["horses"]}}
    (folder / "settings.json").write_text(json.dumps(record))
    (folder / "log.csv").write_text(LOG.format(val_loss, val_loss / 2))
    row = {"set": "horses", "method": "best", "pictures": 24, "empty_masks": 0, "ground_truth_threshold": 0.5}
    ScoreTable([row | {"mae": mae}], ["maps: 8 bit"]).write(folder / "evaluation")
    return folder


def test_what_differs_is_shown_and_nothing_else(tmp_path):
    runs = [make_run(tmp_path / "slow", 0.001, 1.5, 0.1234), make_run(tmp_path / "fast", 0.01, 0.9, 0.0567)]
    write_comparison(runs, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    differing = text[: text.index("<h2>Curves")]
    assert re.search(r"<td>learning_rate\s*</td><td>0.001\s*</td><td>0.01\s*</td>", differing)
    assert differing.count("<tr>") == 2
    assert text.index("Evaluation of slow") < text.index("0.1234") < text.index("Evaluation of fast")
    assert text.index("Evaluation of fast") < text.index("0.0567")
    chart = re.search(r'<img alt="loss and val_loss" src="data:image/png;base64,([^"]+)"', text).group(1)
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(chart), np.uint8), cv2.IMREAD_COLOR_RGB).astype(int)
    for colour in ((31, 119, 180), (255, 127, 14)):  # matplotlib's first two: a run each, training and validation
        assert (np.abs(pixels - colour).max(axis=-1) < 10).sum() > 300


def test_runs_of_one_name_are_called_by_their_paths(tmp_path):
    runs = [make_run(tmp_path / place / "run", 0.001, 1.5, 0.1) for place in ("a", "b")]
    write_comparison(runs, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(f"Evaluation of {run}" in text for run in runs)
    with pytest.raises(SodkerasError, match="Name every run once"):
        write_comparison([runs[0], runs[0]], tmp_path / "again.html")


def test_the_verb_makes_one_runs_page_or_compares_several(tmp_path, capsys):
    runs = [make_run(tmp_path / name, 0.001, 1.5, 0.1) for name in ("a", "b")]
    assert main.main(["report", str(runs[0])]) == 0
    assert (runs[0] / "report.html").is_file()
    assert main.main(["report", *map(str, runs), f"--out={tmp_path}/both.html"]) == 0
    assert "2 training runs" in (tmp_path / "both.html").read_text(encoding="utf-8")
    assert capsys.readouterr().out.splitlines() == [str(runs[0] / "report.html"), f"{tmp_path}/both.html"]


def test_wrong_use_of_the_verb_is_one_sentence(tmp_path, capsys):
    assert main.main(["report"]) == 2
    assert main.main(["report", str(tmp_path)]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert errors[1].endswith(f"it has no settings.json. Received: {tmp_path}")


def test_a_run_that_links_out_of_its_folder_is_not_compared(tmp_path):
    runs = [make_run(tmp_path / name, 0.001, 1.5, 0.1) for name in ("a", "b")]
    (runs[1] / "evaluation/secret.png").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("swordfish")
    with pytest.raises(SodkerasError, match=f"leads out.*Received: {runs[1]}/evaluation/secret.png"):
        write_comparison(runs, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
