"""`sodkeras quantize-train`: wrong use is one sentence. What it does is tested in tests/tflite."""

import pytest

from sodkeras.commands.main import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data=pictures", "--out=out"], "name --model"),
        (["--data=pictures"], "name --model and --out"),
        (["u2netp", "--out=out"], "name --model. Received: u2netp"),
        (["-m", "u2netp", "-o", "out"], "name --data, pictures with masks, or --pictures without"),
        (["-m", "u2netp", "-o", "out", "--data=a", "--pictures=b"], "name --data, pictures with masks, or --pictures"),
        (["-m", "u2netp", "-o", "out", "--data=a", "b"], "everything is a flag here. Received: b"),
        (["-m", "u2netp", "--data=pictures", "--out=out", "--steps=0"], "--steps"),
        (["-m", "u2netp", "--data=pictures", "--out=out", "--learning_rate=0"], "learning_rate is positive"),
    ],
)
def test_wrong_use_is_said_in_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["quantize-train", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_data_that_is_not_there_leaves_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["quantize-train", "--model=u2netp", f"--data={tmp_path / 'nothing'}", f"--out={out}"]) == 1
    assert "nothing" in capsys.readouterr().err and not out.exists()
