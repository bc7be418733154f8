"""Feeds damaged files to everything that reads one, and counts what goes wrong.

usage: python tflite/benchmarks/fuzz.py [--minutes=10] [--seed=0] [--csv=tflite/benchmarks/fuzz.csv] [--keep=DIR]

Good files of each kind are made or taken from the package and damaged: bits turned, ranges overwritten, numbers made
extreme, parts cut out, doubled or swapped; in archives also inside their members. Each is read as a user's would be,
in a process of its own that lives as long as nothing goes wrong. Wrong is: an error that is none of sodkeras's own, an
end by a signal, more than a minute, more than 3 GB. The same seed makes the same files.
"""

import collections
import contextlib
import csv
import functools
import io
import json
import multiprocessing
import os
import pathlib
import queue
import resource
import shutil
import tempfile
import time
import traceback
import warnings
import zipfile

import numpy as np
from absl import app, flags

HERE = pathlib.Path(__file__).parent
_LONGEST, _LARGEST = 60, 3_000_000_000
_ARCHIVES = (".keras", ".pth")
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE)


def main(_):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        originals = write_originals(folder / "good")
        values = flags.FLAGS
        counts, findings = run(originals, folder, values.minutes, values.seed, values.keep)
    with open(values.csv, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kind", "files", "read", "refused", "findings"])
        for kind in originals:
            writer.writerow([kind, *(counts[kind, what] for what in ("files", "read", "refused", "findings"))])
    for finding in findings:
        print(finding)
    print(pathlib.Path(values.csv).read_text(encoding="utf-8"))
    return 1 if findings else 0


def write_originals(folder):
    """`{kind: paths}` of files that can be read."""
    from PIL import Image

    folder.mkdir()
    photo = Image.open(HERE.parent.parent / "examples" / "coffee.jpg").convert("RGB").resize((96, 64))
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2026:01:02 03:04:05"
    pictures, masks = [], []
    for kind in ("jpg", "png", "webp", "avif", "gif", "bmp", "tif", "tga", "ppm", "jp2", "pcx", "qoi"):
        pictures.append(folder / f"photo.{kind}")
        photo.save(pictures[-1], **({"exif": exif.tobytes(), "dpi": (72, 72)} if kind in ("jpg", "png", "tif") else {}))
    photo.save(folder / "progressive.jpg", progressive=True)
    photo.quantize(16).save(folder / "palette.png", transparency=3)
    photo.convert("RGBA").save(folder / "alpha.tif")
    pictures += [folder / name for name in ("progressive.jpg", "palette.png", "alpha.tif")]
    inside = np.zeros((64, 96), np.uint8)
    inside[20:40, 30:60] = 1
    for name, image in {
        "grey.png": Image.fromarray(inside * 255),
        "classes.png": Image.fromarray(inside).quantize(4),
        "deep.tif": Image.fromarray(inside.astype(np.uint16) * 65535),
        "bits.bmp": Image.fromarray(inside > 0),
        "float.tif": Image.fromarray(inside.astype(np.float32)),
    }.items():
        masks.append(folder / name)
        image.save(masks[-1])
    networks = multiprocessing.get_context("spawn").Process(target=_write_networks, args=(folder,))
    networks.start()
    networks.join()
    lists = [folder / "pairs.csv"]
    lists[0].write_text("picture,mask,weight\nphoto.jpg,grey.png,0.5\nphoto.png,grey.png,1\n")
    return {
        "picture": pictures,
        "mask": masks,
        "tflite": [folder / "network.tflite"],
        "keras": [folder / "network.keras"],
        "onnx": [folder / "network.onnx"],
        "pth": [path for path in [folder / "network.pth"] if path.exists()],
        "list": lists,
        "run": sorted(path for path in (folder / "run").rglob("*") if path.is_file()),
    }


def _write_networks(folder):
    """A network in each kind of file, and the folder of a run that trained one."""
    import keras
    import onnx
    from onnx import helper, numpy_helper

    from sodkeras import Preprocessing
    from sodkeras.metrics.tables import ScoreTable
    from sodkeras.models import U2Net
    from sodkeras.tflite.convert import convert
    from sodkeras.training.settings import read_recipe

    keras.utils.set_random_seed(0)
    units = {"encoder": [["RSU-3", 2, 4], ["RSU-3F", 2, 4]], "decoder": [["RSU-3", 2, 4]]}
    model = U2Net(units, preprocessing=Preprocessing(size=(32, 32)), name="tiny")
    model.save(folder / "network.keras")
    convert(model, folder / "converted")[0].replace(folder / "network.tflite")
    rng = np.random.default_rng(0)
    nodes, arrays = [], []
    for index in range(4):
        weights = rng.normal(size=(3, 3, 3, 3)).astype(np.float32)
        arrays += [
            numpy_helper.from_array(weights, f"w{index}"),
            numpy_helper.from_array(weights[0, 0, 0], f"b{index}"),
        ]
        nodes.append(helper.make_node("Conv", [f"x{index}", f"w{index}", f"b{index}"], [f"x{index + 1}"]))
    values = [helper.make_tensor_value_info(name, 1, [1, 3, 32, 32]) for name in ("x0", "x4")]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], arrays)), folder / "network.onnx")
    with contextlib.suppress(ImportError):
        import torch

        layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
        torch.save(layers.state_dict(), folder / "network.pth")
    run = folder / "run"
    (run / "samples" / "01-horses-horse001").mkdir(parents=True)
    for name in ("picture.jpg", "mask.png", "map-0001.png"):
        source = folder / ("photo.jpg" if name == "picture.jpg" else "grey.png")
        (run / "samples" / "01-horses-horse001" / name).write_bytes(source.read_bytes())
    settings = read_recipe("csnet", short=True).to_dict()
    record = {"recipe": "csnet", "short": True, "changes": {}, "settings": settings, "data": {"sets": ["horses"]}}
    (run / "settings.json").write_text(json.dumps(record))
    (run / "log.csv").write_text("epoch,step,loss,val_loss,val_mae\n1,6,2.5,0.8,0.31\n2,12,1.5,0.6,0.2\n")
    row = {"set": "horses", "method": "best", "pictures": 24, "empty_masks": 0, "ground_truth_threshold": 0.5}
    ScoreTable([row | {"mae": 0.08, "max_f": 0.87}], ["maps: 8 bit"]).write(run / "evaluation")


def run(originals, folder, minutes, seed, keep):
    """(counts by kind and outcome, findings as lines)."""
    counts, findings = collections.Counter(), []
    kinds = [kind for kind, paths in originals.items() if paths]
    end = time.monotonic() + 60 * minutes
    workers = dict.fromkeys(kinds)
    number = 0
    while time.monotonic() < end:
        for kind in kinds:
            # Readers that need no network take a hundredth of the time.
            for _ in range(20 if kind in ("picture", "mask", "list") else 4):
                worker = workers[kind] = workers[kind] or Worker(functools.partial(_reader, kind))
                number += 1
                path = damaged(originals[kind], folder / kind, seed, number)
                outcome = worker.read(path)
                counts[kind, "files"] += 1
                counts[kind, outcome if outcome in ("read", "refused") else "findings"] += 1
                if outcome not in ("read", "refused"):
                    findings.append(f"{kind} {number}: {outcome}")
                    if keep:
                        kept = pathlib.Path(keep) / f"{number}_{path.name}"
                        kept.parent.mkdir(parents=True, exist_ok=True)
                        kept.write_bytes(path.read_bytes())
                    worker.stop()
                    workers[kind] = None
            if time.monotonic() > end:
                break
    for worker in workers.values():
        if worker:
            worker.stop()
    return counts, findings


class Worker:
    """A process that reads files.

    Args:
        make_reader: called there, gives what reads a file by its path.
    """

    def __init__(self, make_reader):
        context = multiprocessing.get_context("spawn")
        self._files, self._outcomes = context.Queue(), context.Queue()
        self._process = context.Process(target=_serve, args=(make_reader, self._files, self._outcomes), daemon=True)
        self._process.start()
        self._outcomes.get(timeout=300)  # imports are done

    def read(self, path):
        """ "read", "refused", or what went wrong."""
        self._files.put(path)
        end = time.monotonic() + _LONGEST
        while time.monotonic() < end:
            try:
                return self._outcomes.get(timeout=0.5)
            except queue.Empty:
                if not self._process.is_alive():
                    return f"ended with code {self._process.exitcode}"
        return f"took more than {_LONGEST} s"

    def stop(self):
        self._process.kill()
        self._process.join()


def _serve(make_reader, files, outcomes):
    from sodkeras import SodkerasError
    from sodkeras.commands.main import prepare_tensorflow

    os.environ["OPENCV_LOG_LEVEL"] = "OFF"
    warnings.simplefilter("ignore")
    prepare_tensorflow()
    read = make_reader()
    outcomes.put("ready")
    while True:
        path = files.get()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read(path)
            outcome = "read"
        except SodkerasError:
            outcome = "refused"
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            outcome = f"{type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})"
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        outcomes.put(f"took {grown / 1e9:.1f} GB" if grown > _LARGEST else outcome)


def _reader(kind):
    """What reads a file of this kind, as the commands do."""
    from sodkeras import Predictor
    from sodkeras.checkpoints.onnx_file import read_convolutions
    from sodkeras.checkpoints.pytorch_file import read_state_dict
    from sodkeras.data import find_pairs
    from sodkeras.pictures import read_photo
    from sodkeras.pictures.masks import read_map, read_mask
    from sodkeras.training.run_report import write_report

    photo = np.zeros((40, 40, 3), np.uint8)

    def masks(path):
        read_map(path)
        read_mask(path)

    return {
        "picture": read_photo,
        "mask": masks,
        "tflite": lambda path: Predictor(path)(photo),
        "keras": lambda path: Predictor(path)(photo),
        "onnx": read_convolutions,
        "pth": read_state_dict,
        "list": lambda path: find_pairs([path]),
        "run": lambda path: write_report(next(parent for parent in path.parents if parent.name == "run")),
    }[kind]


def damaged(originals, folder, seed, number):
    """The path of a damaged copy of one of the files; beside it those of its folder that it needs."""
    rng = np.random.default_rng([seed, number])
    original = originals[rng.integers(len(originals))]
    folder.mkdir(exist_ok=True)
    path = folder / original.name
    if folder.name == "run":
        root = next(parent for parent in original.parents if parent.name == "run")
        shutil.copytree(root, folder, dirs_exist_ok=True)
        path = folder / original.relative_to(root)
    content = original.read_bytes()
    content = _inside(content, rng) if original.suffix in _ARCHIVES and rng.random() < 0.7 else mutate(content, rng)
    path.write_bytes(content)
    return path


def _inside(content, rng):
    """Damages one member of an archive, whose check sums are right again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as read, zipfile.ZipFile(buffer, "w") as write:
        members = read.infolist()
        chosen = rng.integers(len(members))
        for index, member in enumerate(members):
            part = read.read(member)
            if index == chosen:
                part = _json(part, rng) if member.filename.endswith(".json") else mutate(part, rng)
            write.writestr(member.filename, part)
    return buffer.getvalue()


def _json(content, rng):
    """Replaces one value of JSON by one that nobody expects."""
    value = json.loads(content)
    places = []

    def walk(one):
        for key in one if isinstance(one, dict) else range(len(one)):
            places.append((one, key))
            if isinstance(one[key], (dict, list)):
                walk(one[key])

    walk(value)
    holder, key = places[rng.integers(len(places))]
    strange = [None, -1, 0, 1e308, 2**70, "", "x" * 1000, [], {}, [[]], True, "__import__", {"class_name": "Lambda"}]
    holder[key] = strange[rng.integers(len(strange))]
    return json.dumps(value).encode()


def mutate(content, rng):
    """A damaged copy of bytes."""
    result = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        if not result:
            break
        at = int(rng.integers(len(result)))
        # Headers are where damage counts.
        at = at if rng.random() < 0.5 else at % min(len(result), 512)
        size = int(rng.integers(1, 64))
        match rng.integers(8):
            case 0:
                result[at] ^= 1 << int(rng.integers(8))
            case 1:
                result[at : at + size] = rng.bytes(size)
            case 2:
                width = int(rng.choice([1, 2, 4]))
                value = _EXTREMES[rng.integers(len(_EXTREMES))] & (256**width - 1)
                result[at : at + width] = value.to_bytes(width, ["little", "big"][rng.integers(2)])
            case 3:
                del result[at:]
            case 4:
                del result[at : at + size]
            case 5:
                result[at:at] = result[at : at + size]
            case 6:
                other = int(rng.integers(len(result)))
                result[at : at + size], result[other : other + size] = (
                    result[other : other + size],
                    result[at : at + size],
                )
            case 7:
                result[at : at + size] = bytes(size)
    return bytes(result)


if __name__ == "__main__":
    flags.DEFINE_float("minutes", 10.0, "For how long.", lower_bound=0.01)
    flags.DEFINE_integer("seed", 0, "Of what is damaged, and how.")
    flags.DEFINE_string("csv", str(HERE / "fuzz.csv"), "The table to write.")
    flags.DEFINE_string("keep", None, "A folder for the files that went wrong.")
    app.run(main)
