"""8 bits learn from pictures that differ, and are judged on pictures that they did not learn from."""

import json
import shutil

import cv2
import numpy as np
import pytest

from helpers import photo, tiny_model
from sodkeras import SodkerasError
from sodkeras.commands.main import main
from sodkeras.pictures import example_pictures, read_picture
from sodkeras.tflite.calibration import check_different, choose, pictures_to_try, to_try


def write(folder, pictures):
    folder.mkdir()
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{index:02}.png"), picture)
    return sorted(folder.iterdir())


def white(noise=0, shade=255, count=12):
    rng = np.random.default_rng(0)
    return [np.clip(shade - rng.integers(0, noise + 1, (60, 80, 3)), 0, 255).astype(np.uint8) for _ in range(count)]


def test_equal_pictures_are_refused(tmp_path):
    for name, pictures in {
        "white": white(),
        "one": white(count=1),
        "noise": white(noise=3),
        "one photo saved in two sizes": [photo(60, 80), cv2.resize(photo(60, 80), (160, 120))],
    }.items():
        with pytest.raises(SodkerasError, match=rf"different pictures.*{len(pictures)} (equal )?picture"):
            check_different(write(tmp_path / name, pictures))


def test_nearly_equal_pictures_are_told_of(tmp_path):
    frames = [cv2.add(photo(60, 80), np.full((60, 80, 3), 2 * shade, np.uint8)) for shade in range(6)]
    assert "2 of the 6" in check_different(write(tmp_path / "frames", frames))
    assert check_different(write(tmp_path / "photos", [photo(seed=seed) for seed in range(3)])) is None
    assert check_different(example_pictures()) is None


def test_a_file_is_tried_on_what_it_was_not_calibrated_with(tmp_path):
    paths = write(tmp_path / "photos", [photo(seed=seed) for seed in range(20)])
    chosen, left = choose(tmp_path / "photos", 8)
    assert sorted([*chosen, *left]) == paths and len(chosen) == 7
    tried = to_try(chosen, left)
    assert tried[:4] == example_pictures() and len(tried) == 8 and not set(tried) & set(chosen)
    # Not even under another name.
    shutil.copy(paths[1], tmp_path / "copy.png")
    assert to_try(paths, [tmp_path / "copy.png"]) == example_pictures()
    copies = [shutil.copy(path, tmp_path / path.name) for path in example_pictures()]
    assert to_try(copies, []) == []
    name, picture = pictures_to_try([], copies)[0]
    assert "mirrored" in name
    np.testing.assert_array_equal(picture, read_picture(copies[0])[:, ::-1])


def test_a_network_that_8_bits_destroy_is_called_so(tmp_path, capfd):
    """Calibrated on dark pictures that hardly differ, it cannot tell what is in a photo."""
    model = tiny_model()
    model.save(tmp_path / "tiny.keras")
    folder = tmp_path / "dark"
    write(folder, [np.full((60, 80, 3), shade, np.uint8) for shade in (0, 1, 2, 3)])
    command = ["convert", f"--model={tmp_path / 'tiny.keras'}", "--numerics=int8", f"--calibrate={folder}"]
    code = main([*command, f"--out={tmp_path / 'out'}"])
    said = capfd.readouterr().err
    (description,) = (tmp_path / "out").glob("*.json")
    parity = json.loads(description.read_text())["parity"]
    assert parity["pictures"] == 4 and parity["problems"]
    assert code == 1 and "does not agree with Keras on 4 pictures" in said and "only 1 of the 4" in said


def test_quantize_train_refuses_equal_pictures(tmp_path, capfd):
    write(tmp_path / "white", white(count=8))
    tiny_model().save(tmp_path / "tiny.keras")
    command = ["quantize-train", f"--model={tmp_path / 'tiny.keras'}", f"--pictures={tmp_path / 'white'}"]
    assert main([*command, "--batch=2", f"--out={tmp_path / 'out'}"]) == 1
    assert "different pictures" in capfd.readouterr().err
