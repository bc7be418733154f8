import dataclasses
import json

import pytest

from sodkeras.data import Augmentation
from sodkeras.errors import SodkerasError
from sodkeras.models import MODELS
from sodkeras.training.settings import Settings, parse_changes, read_recipe, recipe_names


def test_every_recipe_and_its_short_version_are_settings_that_can_be():
    for name in recipe_names():
        for short in (False, True):
            settings = read_recipe(name, short)
            assert settings.model in MODELS
            Augmentation.from_dict(settings.augmentation)
    names = ["cii_r18", "cii_r50", "csf", "csnet", "csnet_prune", "csnet_x2", "distill", "dnl", "fine_tune", "u2net"]
    assert recipe_names() == [*names, "u2netp"]


def test_settings_survive_json():
    settings = read_recipe("csnet_prune")
    assert Settings(**json.loads(json.dumps(settings.to_dict()))) == settings


def test_a_change_reaches_into_a_dict_and_leaves_the_recipe_as_it_was():
    settings = read_recipe("csnet")
    changed = settings.changed({"arguments.width": 1.5, "size": 96, "epochs": 3, "learning_rate": 1})
    assert changed.arguments == {"width": 1.5}
    assert changed.size == (96, 96)
    assert changed.epochs == 3
    assert changed.learning_rate == 1.0
    assert read_recipe("csnet") == settings
    assert settings.arguments == {"width": 1.0}


def test_values_are_python_literals_or_texts():
    texts = ["a=1", "b=1e-3", "c=none", "d=True", "e=[1, 2]", "f=x=y", "g={'at': [1]}", "h=path/to.keras", "i=null"]
    assert parse_changes(texts) == {
        "a": 1,
        "b": 1e-3,
        "c": None,
        "d": True,
        "e": [1, 2],
        "f": "x=y",
        "g": {"at": [1]},
        "h": "path/to.keras",
        "i": None,  # as settings.json and the cards have it
    }
    for text in ("{[]: 1}", "[" * 10_000, "9" * 5000):  # no literals that Python can make
        assert parse_changes([f"a={text}"]) == {"a": text}
    with pytest.raises(SodkerasError, match=r"KEY=VALUE\. Received: learning_rate"):
        parse_changes(["learning_rate"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rat": 1}, "did you mean learning_rate"),
        ({"learning_rate.x": 1}, "no such setting.*Received: learning_rate.x"),
        ({1: 2}, "no such setting.*Received: 1"),
        ({"arguments.width": 1.0, "arguments.width.more": 1}, "nothing inside the setting width: it is 1.0. Received"),
        ({"learning_rate": 10**400}, "under 1e308"),
        ({"zzzz": 1}, "there are model, arguments"),
        ({"epochs": 0}, "epochs must be at least 1. Received: 0"),
        ({"epochs": 1.5}, "epochs is a whole number. Received: 1.5"),
        ({"epochs": True}, "epochs is a whole number. Received: True"),
        ({"epochs": "ten"}, "epochs is a whole number. Received: 'ten'"),
        ({"loss": "l2"}, "loss is one of bce, iou"),
        ({"size": [1, 2, 3]}, "size must be"),
        ({"size": "big"}, "size is one or two whole numbers or none"),
        ({"ema_momentum": 1.0}, "under 1"),
        ({"model": "U2Net", "dynamic_decay": 3.0}, "dynamic_decay must be 0 for another network"),
        ({"model": "U2Net", "prune": {"ratio": 0.5}}, "prune must be"),
        ({"fine_tune": {"epoch": 3}}, "did you mean epochs"),
        ({"fine_tune": {"epochs": 0}}, "epochs must be at least 1"),
    ],
)
def test_a_wrong_setting_is_one_sentence(change, message):
    with pytest.raises(SodkerasError, match=message):
        Settings().changed(change)


def test_a_recipe_of_ones_own_is_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from sodkeras.training.recipes import csnet\n"
        "SETTINGS = csnet.SETTINGS | {'epochs': 7}\n"
        "SHORT = {'epochs': 2}\n"
    )
    assert read_recipe(str(path)) == dataclasses.replace(read_recipe("csnet"), epochs=7)
    assert read_recipe(str(path), short=True).epochs == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SETTINGS = {'epoch': 7}", "did you mean epochs"),
        ("SETTINGS = 3", "a dict SETTINGS"),
        ("1 / 0", "cannot be run .ZeroDivisionError"),
        ("SETTINGS = {}", "no short version"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_sentence(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(SodkerasError, match=message):
        read_recipe(str(path), short=True)


def test_a_recipe_that_there_is_not_names_the_nearest():
    with pytest.raises(SodkerasError, match=r"did you mean csnet_prune\? Received: csnet_prun$"):
        read_recipe("csnet_prun")


def test_none_is_a_choice_where_it_is_one():
    assert Settings().changed(parse_changes(["decay_exempt=none", "size=none"])).decay_exempt == "none"
    with pytest.raises(SodkerasError, match="loss is a text"):
        Settings().changed(parse_changes(["loss=none"]))
