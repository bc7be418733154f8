"""What a conversion is asked for is checked before anything is loaded."""

import dataclasses
import json

import pytest

from sodkeras import SodkerasError
from sodkeras.errors import UsageError
from sodkeras.tflite.settings import ConversionSettings


def test_names_are_resolved_and_parts_put_in_order():
    settings = ConversionSettings("int8", inside=["sigmoid", "normalisation"])
    assert settings.numerics == ("static_wi8_ai8",) and settings.integers
    assert settings.inside == ("normalisation", "sigmoid")
    assert not ConversionSettings(["float", "float32", "dynamic"]).integers


def test_they_pass_through_json_on_their_way_to_the_child():
    settings = ConversionSettings(["int8"], keep_float=["a*"], interface="uint8", mae_budget=0.01)
    assert ConversionSettings(**json.loads(json.dumps(dataclasses.asdict(settings)))) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numerics": ["int4"]}, r"The numerics are .*Received: int4"),
        ({"numerics": []}, "Received: none"),
        ({"prelu": "fast"}, "auto, exact. Received: fast"),
        ({"inside": ["crop"]}, "Inside the graph can be .*Received: crop"),
        ({"numerics": ["int8"], "interface": "int16"}, "The interface of static_wi8_ai8 .*Received: int16"),
    ],
)
def test_what_cannot_be_is_one_sentence(changes, message):
    with pytest.raises(UsageError, match=message):
        ConversionSettings(**changes)


def test_integers_need_pictures():
    with pytest.raises(SodkerasError, match=r"need pictures to calibrate with.*Received: static_wi8_ai8"):
        ConversionSettings("int8").check_calibrated(None)
    ConversionSettings("float32").check_calibrated(None)
