"""The command line as a user meets it: help, exit codes, one-sentence errors, results on disk."""

import json
import logging
import os
import pathlib
import re
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from helpers import photo, tiny_model, write_photo
from sodkeras.commands.main import VERBS, main
from sodkeras.keras_file import load_keras
from sodkeras.pictures import read_picture, write_png
from sodkeras.tflite.convert import convert


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with one tiny network as `.keras` and as a float `.tflite` file."""
    folder = tmp_path_factory.mktemp("models")
    model = tiny_model()
    model.save(folder / "tiny.keras")
    convert(model, folder)
    return folder


@pytest.fixture
def tflite(models):
    return str(models / "tiny-32x48-float32.tflite")


def failure(capsys, *argv, code=1):
    """Runs a command that must fail, and returns its one line on stderr."""
    assert main(argv) == code
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("sodkeras")]
    assert len(lines) == 1 and "Traceback" not in captured.err, captured.err
    return lines[0]


def test_alone_it_introduces_every_verb(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^  {verb} +\w", shown, re.M) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(verb, capsys):
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: sodkeras {verb}" in shown and "--debug" in shown
    for other in (["help", verb], [verb, "-h"]):
        assert main(other) == 0 and capsys.readouterr().out == shown


def test_wrong_use_ends_with_2(capsys):
    assert "did you mean predict? The verbs" in failure(capsys, "predcit", code=2)
    assert "Did you mean: out" in failure(capsys, "predict", "a.jpg", "--oot=b", code=2)
    assert "--threads" in failure(capsys, "predict", "a.jpg", "--threads=none", code=2)
    assert "--write takes" in failure(capsys, "predict", "a.jpg", "--write=mask", code=2)
    for verb in ("predict", "weights", "convert", "verify", "benchmark"):
        assert f"sodkeras help {verb}" in failure(capsys, verb, code=2)
    assert "int9" in failure(capsys, "convert", "--model=u2netp", "--numerics=int9", code=2)


def test_predict_writes_what_is_asked_beside_each_other(tflite, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(2):
        write_photo(photos / f"{seed}.png", seed=seed)
    out = tmp_path / "out"
    assert main(["predict", str(photos), f"--model={tflite}", f"--out={out}", "--write=map,overlay,cutout"]) == 0
    assert "2 of 2 pictures done" in capsys.readouterr().out
    names = [f"{seed}_{kind}.png" for seed in range(2) for kind in ("cutout", "map", "overlay")]
    assert sorted(path.name for path in out.iterdir()) == names
    channels = {
        kind: cv2.imread(str(out / f"0_{kind}.png"), cv2.IMREAD_UNCHANGED).shape
        for kind in ("map", "overlay", "cutout")
    }
    assert channels == {"map": (60, 80), "overlay": (60, 80, 3), "cutout": (60, 80, 4)}


def test_predict_does_the_rest_and_names_what_failed(tflite, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    good = cv2.imencode(".jpg", photo())[1].tobytes()
    contents = {
        "a.jpg": good,
        "empty.jpg": b"",
        "text.jpg": b"a text",
        "cut.jpg": good[: len(good) // 2],
        "z.jpg": good,
    }
    for name, content in contents.items():
        (photos / name).write_bytes(content)
    cv2.imwrite(str(photos / "one.png"), np.zeros((1, 1, 3), np.uint8))
    out = tmp_path / "out"
    assert main(["predict", str(photos), str(photos / "missing.jpg"), f"--model={tflite}", f"--out={out}"]) == 1
    captured = capsys.readouterr()
    assert sorted(path.name for path in out.iterdir()) == ["a_map.png", "one_map.png", "z_map.png"]
    assert "3 of 7 pictures done" in captured.out
    failed = [line for line in captured.err.splitlines() if line.startswith("sodkeras predict:")]
    assert len(failed) == 4
    for name in ("empty.jpg", "text.jpg", "cut.jpg", "missing.jpg"):
        assert sum(name in line for line in failed) == 1


def test_a_program_without_a_console_runs_every_progress_bar(models, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        write_photo(photos / f"{seed}.png", seed=seed)
        write_png(tmp_path / "masks" / f"{seed}.png", (photo(seed=seed)[..., 0] > 150).astype(np.uint8) * 255)
    for arguments in (
        ["predict", photos, f"--out={tmp_path / 'maps'}"],
        ["pseudo-label", photos, f"--out={tmp_path / 'labelled'}"],
        ["evaluate", tmp_path / "maps", tmp_path / "masks", "--processes=2"],
        ["convert", f"--model={models / 'tiny.keras'}", f"--out={tmp_path / 'out'}"],
    ):
        model = [] if arguments[0] in ("evaluate", "convert") else [f"--model={models / 'tiny-32x48-float32.tflite'}"]
        command = [sys.executable, "-m", "sodkeras", *map(str, arguments), *model]
        without = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command], check=False, cwd=tmp_path)
        assert without.returncode == 0, arguments
    assert len(list((tmp_path / "maps").iterdir())) == len(list((tmp_path / "labelled" / "masks").iterdir())) == 3


def test_predict_counts_what_it_passes_over_and_keeps_what_photos_say(tflite, tmp_path, capsys):
    Image.fromarray(photo()).save(tmp_path / "a.jfif", "JPEG", dpi=(300, 300))
    (tmp_path / "a.dng").write_bytes(b"raw")
    (tmp_path / "b.CR2").write_bytes(b"raw")
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path), f"--model={tflite}", f"--out={out}", "--write=cutout"]) == 0
    said = capsys.readouterr()
    assert "2 files of kinds that are not read were left out: a.dng, b.CR2" in said.err
    assert "1 of 1 pictures" in said.out
    assert round(Image.open(out / "a_cutout.png").info["dpi"][0]) == 300


def test_a_large_picture_ends_itself_not_the_batch(tflite, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SODKERAS_MAX_PIXELS", "9")  # which the flag changes, to be taken back
    for seed in range(3):
        write_photo(tmp_path / f"{seed}.png", seed=seed, **({"width": 100} if seed == 1 else {}))
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path), f"--model={tflite}", f"--out={out}", "--max_pixels=5000"]) == 1
    captured = capsys.readouterr()
    assert "2 of 3 pictures done" in captured.out and "1.png of 100x60" in captured.err
    assert sorted(path.name for path in out.iterdir()) == ["0_map.png", "2_map.png"]


def test_pictures_of_one_name_do_not_overwrite_each_other(tflite, tmp_path):
    for name in ("a/photo.png", "b/photo.png", "b/photo.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_photo(tmp_path / name)
    out = tmp_path / "out"
    assert main(["predict", f"{tmp_path}/*/photo.*", f"--model={tflite}", f"--out={out}"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "a_photo_png_map.png",
        "b_photo_png_map.png",
        "photo_jpg_map.png",
    ]


def test_results_among_the_pictures_are_not_pictures(tflite, tmp_path, capsys):
    pictures = ["a.jpg", "a_map_of_rome.png", "b_map.png"]  # the last is nobody's result
    for name in pictures:
        write_photo(tmp_path / name)
    for _ in range(3):
        assert main(["predict", str(tmp_path), "--write=map,cutout", f"--model={tflite}", f"--out={tmp_path}"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[-1].startswith("3 of 3 pictures done")
    assert "6 files that sodkeras predict wrote were left out" in said.err.splitlines()
    results = [f"{stem}_{kind}.png" for stem in ("a", "a_map_of_rome", "b_map") for kind in ("cutout", "map")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*pictures, *results])


def test_no_file_that_is_no_result_is_written_over(tflite, tmp_path, capsys):
    photos = write_photo(tmp_path / "a.jpg"), write_photo(tmp_path / "a_map.png", seed=3)
    before = photos[1].read_bytes()
    command = ["predict", f"--model={tflite}", f"--out={tmp_path}"]
    assert "a_map.png" in failure(capsys, *command, str(photos[0]))
    assert photos[1].read_bytes() == before
    assert main([*command, str(photos[1])]) == 0 and (tmp_path / "a_map_map.png").exists()
    # Results are no pictures for others either, but where one is named.
    other = ["predict", f"--model={tflite}", f"--out={tmp_path / 'other'}"]
    assert main([*other, f"{tmp_path}/*.png"]) == 0
    assert "1 files that sodkeras predict wrote were left out" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["a_map_map.png"]
    assert main([*other, str(tmp_path / "a_map_map.png")]) == 0


def test_a_transparent_photo_keeps_its_transparency_in_a_cut_out(tflite, tmp_path):
    alpha = np.full((60, 80), 255, np.uint8)
    alpha[:, :40] = 100
    Image.fromarray(np.dstack([photo(), alpha])).save(tmp_path / "a.png")
    out = tmp_path / "out"
    kinds = ["--write=map,cutout", "--edges=raw"]
    assert main(["predict", str(tmp_path / "a.png"), f"--model={tflite}", f"--out={out}", *kinds]) == 0
    cut = np.asarray(Image.open(out / "a_cutout.png"))
    levels = np.asarray(Image.open(out / "a_map.png"))
    np.testing.assert_array_equal(cut[..., :3], photo())
    np.testing.assert_allclose(cut[..., 3], levels * (alpha / 255), atol=0.51)


def test_results_have_names_that_are_seen(tflite, tmp_path, monkeypatch):
    for place in ("sub", ".hidden"):
        (tmp_path / place).mkdir()
        write_photo(tmp_path / place / "a.jpg")
    write_photo(tmp_path / "a.jpg")
    monkeypatch.chdir(tmp_path / "sub")
    assert main(["predict", "a.jpg", "../a.jpg", "../.hidden/a.jpg", f"--model={tflite}", "--out=w"]) == 0
    assert len(list((tmp_path / "sub/w").glob("[!.]*_map.png"))) == 3


def test_predict_errors(tflite, tmp_path, capsys):
    path = str(write_photo(tmp_path / "photo.png"))
    (tmp_path / "none").mkdir()
    assert "no pictures" in failure(capsys, "predict", str(tmp_path / "none"), f"--model={tflite}")
    assert "u2netp" in failure(capsys, "predict", path, "--model=u9net")
    (tmp_path / "file").write_text("in the way")
    assert "Cannot write" in failure(capsys, "predict", path, f"--model={tflite}", f"--out={tmp_path}/file/out")
    foreign = tmp_path / "foreign.tflite"
    foreign.write_bytes(b"no model at all")
    assert "not a .tflite model" in failure(capsys, "predict", path, f"--model={foreign}")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX users")
def test_unreadable_and_unwritable_folders_are_one_sentence(tmp_path):
    (tmp_path / "closed" / "inner").mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    tmp_path.chmod(0o755)
    # Root may read and write everywhere, so the work is done as an ordinary user, after importing as this one: the
    # packages may lie where that user cannot look.
    become = "os.setgroups([]); os.setgid(65534); os.setuid(65534)" if os.geteuid() == 0 else "pass"
    code = f"""
import os, numpy
from sodkeras import SodkerasError
from sodkeras.pictures import find_pictures, write_png
{become}
for place in ("closed", "closed/inner"):
    for act in (lambda: find_pictures([place]), lambda: write_png(place + "/a.png", numpy.zeros((2, 2), "u1"))):
        try:
            act()
        except SodkerasError as error:
            print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    (tmp_path / "closed").chmod(0o755)
    lines = result.stdout.splitlines()
    assert len(lines) == 4, result.stderr
    assert all(line.startswith("Cannot") and "Permission denied" in line for line in lines), lines


def test_weights_import_says_licence_and_what_folding_means(tmp_path, capsys, monkeypatch):
    assert "no such file" in failure(capsys, "weights", "import", str(tmp_path / "missing.onnx"))
    (tmp_path / "text.onnx").write_text("no network")
    assert "text.onnx" in failure(capsys, "weights", "import", str(tmp_path / "text.onnx"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.onnx"]
    assert main(["weights", "list"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out


@pytest.mark.reference
def test_weights_import_of_the_released_file(reference, tmp_path, capsys):
    source, photos = reference / "reference/weights/u2netp.onnx", tmp_path / "photos"
    photos.mkdir()
    write_photo(photos / "a.png")
    out = tmp_path / "u2netp.keras"
    assert main(["weights", "import", str(source), f"--out={out}"]) == 0
    shown = capsys.readouterr().out
    assert "Apache-2.0" in shown and "before fine-tuning" in shown
    assert main(["weights", "import", str(source), f"--out={out}", f"--pictures={photos}"]) == 0
    assert "112 batch norms have statistics from 1 pictures" in capsys.readouterr().out
    assert main(["predict", str(photos), f"--model={out}", f"--out={tmp_path / 'maps'}"]) == 0


@pytest.mark.reference
def test_weights_import_of_a_checkpoint_and_its_plan(reference, tmp_path, capsys):
    pytest.importorskip("torch", reason="the extra `torch` is not installed")
    folder = reference / "reference/weights"
    out = tmp_path / "csnet.keras"
    source, plan = folder / "csnet-L-x2.pth.tar", folder / "csnet-L-x2.bin"
    assert main(["weights", "import", str(source), f"--plan={plan}", f"--out={out}"]) == 0
    assert "licence: CC BY-NC-SA 4.0" in capsys.readouterr().out
    golden = np.load(reference / "reference/csnet_l_x2_golden.npz")
    logits = load_keras(out)(golden["rand_input"].transpose(0, 2, 3, 1))["saliency_logits"]
    assert np.abs(logits - golden["rand_logits"].transpose(0, 2, 3, 1)).max() <= 5e-5


def test_convert_verify_benchmark_from_end_to_end(models, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        write_photo(photos / f"{seed}.png", seed=seed)
    source = models / "tiny.keras"
    assert (
        main(["convert", f"--model={source}", "--numerics=float,int8", f"--calibrate={photos}", f"--out={tmp_path}"])
        == 0
    )
    files = [f"{tmp_path}/tiny-32x48-{numerics}.tflite" for numerics in ("float32", "static_wi8_ai8")]
    assert all(os.path.isfile(path) for path in files)
    for path in files:
        assert main(["verify", path, f"--model={source}", f"--pictures={photos}"]) == 0
        assert "they agree" in capsys.readouterr().out
    # The same file against a limit that nothing can keep.
    assert main(["verify", files[1], f"--model={source}", f"--pictures={photos}", "--largest=0"]) == 1
    assert "they do not agree: largest is" in capsys.readouterr().out
    table = tmp_path / "table.csv"
    for _ in range(2):
        assert main(["benchmark", *files, "--runs=2", "--warmup=0", f"--csv={table}"]) == 0
    assert "ops delegated" in capsys.readouterr().out
    lines = table.read_text().splitlines()
    assert len(lines) == 5 and lines[0].startswith("model,numerics,size") and lines[1].startswith("tiny,float32,32x48")


def test_verify_refuses_another_networks_file(models, tflite, tmp_path, capsys):
    other = tiny_model(size=(48, 32))
    other.save(tmp_path / "other.keras")
    write_photo(tmp_path / "photo.png")
    message = failure(capsys, "verify", tflite, f"--model={tmp_path}/other.keras", f"--pictures={tmp_path}/photo.png")
    assert "differently" in message


def test_a_tflite_file_predicts_and_is_timed_without_keras_or_tensorflow(tflite, tmp_path):
    """On a phone board only LiteRT, NumPy and OpenCV are there."""
    path = write_photo(tmp_path / "photo.png")
    code = (
        "import sys\n"
        "for name in ('keras', 'tensorflow', 'matplotlib', 'onnx', 'pooch'): sys.modules[name] = None\n"
        "from sodkeras.commands.main import main\n"
        f"assert main(['predict', {str(path)!r}, '--model={tflite}', '--out={tmp_path}/out']) == 0\n"
        f"from sodkeras.tflite.timing.benchmark import _benchmark_here\n"
        "import numpy\n"
        f"_benchmark_here({tflite!r}, [numpy.zeros((5, 5, 3), 'u1')], 1, 1, 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "photo_map.png").is_file()


def test_the_networks_own_default_needs_no_download_and_no_tensorflow(tmp_path):
    path = write_photo(tmp_path / "photo.png")
    code = (
        "import socket, sys\n"
        "for name in ('keras', 'tensorflow', 'matplotlib', 'onnx', 'pooch'): sys.modules[name] = None\n"
        "def refuse(*_, **__): raise OSError('no network here')\n"
        "socket.socket.connect = refuse\n"
        "from sodkeras.commands.main import main\n"
        f"assert main(['predict', {str(path)!r}, '--out={tmp_path}/out']) == 0\n"
    )
    environment = os.environ | {"SODKERAS_CACHE": str(tmp_path / "empty")}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    saliency_map = cv2.imread(str(tmp_path / "out/photo_map.png"), cv2.IMREAD_UNCHANGED)
    assert saliency_map.shape == cv2.imread(str(path)).shape[:2]


def test_the_demo_writes_what_its_help_lists(models, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # which the demo sets, to be taken back
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    stems = ("first", "second", "third", "fourth")
    for seed, stem in enumerate(stems):
        write_photo(photos / f"{stem}.png", seed=seed)
    model = models / "tiny.keras"
    assert main(["demo", f"--model={model}", f"--pictures={photos}", f"--out={out}", "--runs=1"]) == 0
    assert "ops delegated" in capsys.readouterr().out
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    names = ("photo.jpg", "map.png", "overlay.png", "cutout.png")
    each = {f"{stem}/{name}" for stem in stems for name in names}
    files = {"tiny-32x48-float32.tflite", "tiny-32x48-static_wi8_ai8.tflite"}
    assert written >= each | files | {"contact_sheet.png", "results.csv", "report.html"}
    assert (out / "results.csv").read_text().count("\n") == 4  # a title, Keras, float, 8 bits
    assert "no such file" in failure(capsys, "demo", f"--pictures={tmp_path / 'none'}", f"--out={out}")


def test_the_demos_verdict_names_a_picture_whose_mask_is_another():
    from sodkeras.commands.demo import _verdict
    from sodkeras.tflite.check.agreement import Agreement

    def verdict(iou, violations=()):
        return _verdict(Agreement(["cat", "rocket"], [0.99, iou], [0.01, 0.02], [0.1, 0.9], [0, 0]), violations)

    assert verdict(0.95) == "agrees"
    assert verdict(0.71) == "agrees; rocket worst, 0.71"
    assert verdict(0.4, ["worst_iou is 0.4 on rocket, the limit 0.5"]) == "outside: worst_iou; rocket worst, 0.40"


def test_debug_shows_where_an_unexpected_error_arose(capsys, monkeypatch):
    from sodkeras.commands import predict

    def fail(flag_values, arguments):
        raise ZeroDivisionError("the sky fell")

    monkeypatch.setattr(predict, "run", fail)
    assert failure(capsys, "predict") == "sodkeras predict: the sky fell (ZeroDivisionError; --debug shows where)"
    assert main(["predict", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_profile_counts_a_class_and_a_file(models, capsys):
    assert main(["flops", "--model=CSNet", "--size=224x224"]) == 0
    assert "210,985 parameters, 0.4328 G multiply-adds, 0.6106 G FLOPs" in capsys.readouterr().out
    assert main(["flops", "-m", str(models / "tiny.keras"), "--layers"]) == 0
    shown = capsys.readouterr().out
    assert "encoder1_in_conv" in shown and "tiny at 32x48" in shown
    assert "224x224" in failure(capsys, "flops", "-m", "CSNet", "--size=big", code=2)
    assert "the next is 240x224" in failure(capsys, "flops", "-m", "CSNet", "--size=225x224")


def test_of_tensorflows_warnings_only_those_of_retracing_are_kept_from_users():
    """Of six models, each called once, TensorFlow says that one is traced again and again."""
    records = []
    logger, handler = logging.getLogger("tensorflow"), logging.Handler()
    handler.emit = records.append
    logger.addHandler(handler)
    try:
        main(["--version"])
        for _ in range(6):
            inputs = keras.Input((1,))
            keras.Model(inputs, keras.layers.Dense(1)(inputs)).predict_on_batch(np.ones((1, 1)))
        assert not records
        logger.warning("a disk is full")
        assert [record.getMessage() for record in records] == ["a disk is full"]
    finally:
        logger.removeHandler(handler)


def test_cut_outs_as_they_are_wanted(tflite, tmp_path, capsys):
    path = write_photo(tmp_path / "photo.png")
    command = ["predict", str(path), f"--model={tflite}", "--write=map,cutout"]

    def made(name, *flags):
        assert main([*command, *flags, f"--out={tmp_path / name}"]) == 0
        return [cv2.imread(str(tmp_path / name / f"photo_{kind}.png"), -1) for kind in ("map", "cutout")]

    levels, clean = made("clean")
    _, raw = made("raw", "--edges=raw")
    np.testing.assert_array_equal(raw[..., 2::-1], read_picture(path))
    np.testing.assert_array_equal(clean[..., 3], levels)
    assert (clean[..., :3] != raw[..., :3]).any()
    mask, opaque = made("mask", "--mask_threshold=0.5", "--background=#ff8800")
    assert set(np.unique(mask)) <= {0, 255} and opaque.shape == (60, 80, 3)
    assert (opaque[mask == 0] == [0, 136, 255]).all()
    _, cropped = made("crop", "--mask_threshold=0.5", "--crop", "--margin=0")
    rows, columns = np.nonzero(mask)
    assert cropped.shape[:2] == ((np.ptp(rows) + 1, np.ptp(columns) + 1) if len(rows) else (60, 80))
    made("blur", "--background=blur")
    made("picture", f"--background={path}")
    assert "white or #ff8800" in failure(capsys, *command, "--background=whitish")
    assert "--mask_threshold" in failure(capsys, *command, "--mask_threshold=1", code=2)


def test_one_picture_into_one_file_or_through_a_pipe(tflite, tmp_path, capsys):
    path = write_photo(tmp_path / "photo.png")
    assert main(["predict", str(path), f"--model={tflite}", "-o", str(tmp_path / "new" / "mask.png")]) == 0
    named = (tmp_path / "new" / "mask.png").read_bytes()
    command = [sys.executable, "-m", "sodkeras", "predict", "-", f"--model={tflite}"]
    piped = subprocess.run(command, input=path.read_bytes(), capture_output=True)
    assert piped.returncode == 0 and piped.stderr == b""
    values = [cv2.imdecode(np.frombuffer(content, np.uint8), -1) for content in (named, piped.stdout)]
    np.testing.assert_array_equal(*values)
    cut = subprocess.run([*command, "--write=cutout", f"--out={tmp_path / 'cut.png'}"], input=path.read_bytes())
    assert cut.returncode == 0 and cv2.imread(str(tmp_path / "cut.png"), -1).shape == (60, 80, 4)
    broken = subprocess.run(command, input=path.read_bytes()[:99], capture_output=True, text=False)
    assert broken.returncode == 1 and broken.stdout == b"" and broken.stderr.count(b"\n") == 1
    other = write_photo(tmp_path / "other.png", seed=1)
    for arguments, words in (
        ([path, other, "-o", "x.png"], "Received: 2 pictures, map"),
        ([path, "-o", "x.png", "--write=map,cutout"], "1 pictures, map, cutout"),
        ([path, "-o", "x.jpg"], "results are .png files. Received: --out=x.jpg"),
        (["-", path], "- alone stands for standard input"),
        (["-", "-o", "folder"], "--out is a .png file. Received: folder"),
    ):
        assert words in failure(capsys, "predict", f"--model={tflite}", *map(str, arguments), code=2)
    for address in ("http://example.org/a.jpg", "https://example.org/a.jpg", "s3://bucket/a.jpg"):
        assert "download the picture" in failure(capsys, "predict", address, f"--model={tflite}")


@pytest.fixture
def tree(tmp_path):
    """Seven photos, in folders in folders; a hidden folder and a link that lead nowhere new."""
    for number in range(7):
        folder = tmp_path / "photos" / ("a" if number % 2 else "b/c")
        folder.mkdir(parents=True, exist_ok=True)
        write_photo(folder / f"{number}.png", seed=number)
    (tmp_path / "photos" / ".hidden").mkdir()
    write_photo(tmp_path / "photos" / ".hidden" / "h.png")
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos")
    return tmp_path / "photos"


def test_folders_in_folders_in_parts_by_several_workers(tree, tflite, tmp_path, capsys):
    command = ["predict", str(tree), "--recursive", f"--model={tflite}"]
    assert "holds no pictures" in failure(capsys, "predict", str(tree), f"--model={tflite}")
    assert main([*command, "-o", str(tmp_path / "whole")]) == 0
    assert "7 of 7 pictures done" in capsys.readouterr().out
    for part in (1, 2, 3):
        assert main([*command, "-o", str(tmp_path / "parts"), f"--shard={part}/3", "--workers=2"]) == 0
    whole, parts = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "parts")
    )
    assert whole == parts and len(whole) == 7
    for shard in ("0/3", "4/3", "1", "1/0", "a/b", "1/3/3"):
        assert f"I/N, from 1/N to N/N. Received: {shard}" in failure(capsys, *command, f"--shard={shard}", code=2)


def test_what_is_there_is_left_out_unless_picture_model_or_flags_are_others(tree, tflite, models, tmp_path, capsys):
    command = ["predict", str(tree), "--recursive", "--skip_existing", "-o", str(tmp_path / "out"), "--json"]

    def made(*flags, model=tflite):
        assert main([*command, f"--model={model}", *flags]) == 0
        return [pathlib.Path(row["picture"]).name for row in json.loads(capsys.readouterr().out) if not row["kept"]]

    assert len(made()) == 7 and made() == []
    write_photo(tree / "a" / "3.png", seed=99)
    assert made() == ["3.png"]
    (tmp_path / "out" / "5_map.png").unlink()
    (tmp_path / "out" / "1_map.png").write_bytes((tmp_path / "out" / "1_map.png").read_bytes()[:-20])
    assert made() == ["1.png", "5.png"]
    assert len(made("--mask_threshold=0.5")) == 7 and made("--mask_threshold=0.5") == []
    assert len(made(model=models / "tiny.keras")) == 7
    assert len(made("--write=map,cutout", model=models / "tiny.keras")) == 7


def test_json_says_what_failed(tflite, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"a text")
    path = write_photo(tmp_path / "photos" / "b.png")
    assert main(["predict", str(path.parent), f"--model={tflite}", f"--out={tmp_path}", "--json"]) == 1
    captured = capsys.readouterr()
    bad, good = json.loads(captured.out)
    assert "a.png" in bad["picture"] and "Received" in bad["error"] and "a.png failed" in captured.err
    assert good["files"] == {"map": f"{tmp_path}/b_map.png"} and good["kept"] is False
