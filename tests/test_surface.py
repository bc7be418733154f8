"""What `from sodkeras import …` gives, in a sentence each."""

import importlib

import numpy as np
import pytest

import sodkeras
from helpers import photo, tiny_model, write_photo


def test_every_name_is_there_and_is_what_its_module_has():
    assert set(sodkeras.__all__) == {*sodkeras._HOME, "__version__"} == set(dir(sodkeras))
    for name, module in sodkeras._HOME.items():
        assert getattr(sodkeras, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="no attribute 'predict'"):
        sodkeras.predict  # noqa: B018


def test_a_network_goes_the_whole_way_by_these_names_alone(tmp_path):
    """Pruned, converted, verified, timed and run, in one script."""
    photos = [write_photo(tmp_path / f"{seed}.png", seed=seed) for seed in range(4)]
    model = tiny_model()
    batch = np.concatenate([model.preprocessing(photo(seed=seed)) for seed in range(4)])
    smaller = sodkeras.prune(model, batch, filters=[4, 4, 3]).model
    (file,) = sodkeras.convert(smaller, tmp_path / "phone", "int8", photos)
    found = sodkeras.verify(file, smaller, photos)
    assert found.problems == [] and found.census.partitions.partitions == 1
    assert [path.name for path in found.write()] == [f"{file.stem}.verify.json", f"{file.stem}.verify.png"]
    assert "worst_iou is" in sodkeras.verify(file, smaller, photos, worst_iou=1.0).problems[0]
    assert sodkeras.benchmark(file, [photo()], runs=2)["inference_median_ms"] > 0
    assert sodkeras.Predictor(file)(photo()).shape == (60, 80)
