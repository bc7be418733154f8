"""A run goes on in its own folder and in no other."""

import json
import os

import pytest

from sodkeras import SodkerasError
from sodkeras.training.run_folder import inside, open_run, run_record
from sodkeras.training.settings import Settings


@pytest.mark.parametrize(
    "content",
    [
        *("", "[1]", "null", "{}", "[" * 100_000, "\0"),
        *('{"settings": [1], "data": {"sha256": "", "training": 1}}', '{"settings": {}, "data": []}'),
        '{"settings": {}, "data": {"sha256": ""}}',
    ],
)
def test_a_damaged_record_is_one_sentence(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_text(content)
    (tmp_path / "last.keras").touch()
    with pytest.raises(SodkerasError, match=f"damaged; choose another --out. Received: {path}|empty. Received: {path}"):
        open_run(tmp_path, run_record(Settings(), [], [], None))


def test_a_run_of_other_pictures_says_how_many_it_had(tmp_path):
    record = run_record(Settings(), [], [], None)
    open_run(tmp_path / "run", record)
    (tmp_path / "run/last.keras").touch()
    open_run(tmp_path / "run", record)
    other = json.loads(json.dumps(record)) | {"data": record["data"] | {"sha256": "another", "training": 3}}
    with pytest.raises(SodkerasError, match=r"other pictures \(0 to train on, now 3\)"):
        open_run(tmp_path / "run", other)


def test_only_paths_that_stay_in_the_folder_are_inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    (run / "sub").mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    (run / "round").symlink_to("round")
    (run / "out").symlink_to(tmp_path / "runs")
    for path in (run, run / "sub/../a", run / "sub", run / "round"):
        assert inside(run, path) == path
        assert inside(run.relative_to(tmp_path), path.relative_to(tmp_path)) == path.relative_to(tmp_path)
    for path in (run / "..", run / "../runs", run / "/etc/passwd", run / "out", run / "out/a", tmp_path / "runs"):
        with pytest.raises(SodkerasError, match=f"leads out of the run's folder.*Received: {path}"):
            inside(run, os.fspath(path))
