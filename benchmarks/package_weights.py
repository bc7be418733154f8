"""Puts a trained run into the package: weights, the 8-bit file, and what a model card needs to say about them.

usage: python benchmarks/package_weights.py OUT … --name=NAME --title=TEXT --calibrate=FOLDER [--size=SIDE]
           [--average=SHARE] [--sharpen=FACTOR] [--before=history.json] [--keep_float=PATTERN,…]
       python benchmarks/package_weights.py --name=NAME --eight_bits=FILE.tflite

OUT is what benchmarks/own_weights.py was given as --out. The network of its last run goes to
sodkeras/presets/NAME.keras, its conversions, tried and calibrated with 100 pictures of FOLDER, to NAME_float16.tflite
and NAME_int8.tflite beside it, each with a preset, NAME.json and so on, that says how it was trained. What is larger
than a megabyte is left out.
Without a first run in OUT, --start named a preset: then what that says of its training stands first. OUT may be a
preset of ours, too, or the folder of a run of `sodkeras train` that went on from such a preset, or from NAME.keras of
own_weights_gpu.py, whose history.json --before is. Of several such runs, on the same pictures from the same start, the
weights are the mean (a model soup: Wortsman et al., ICML 2022); with --average they are that share of the runs' and the
rest of the preset's that they started from. --size and --sharpen are what own_sharpness.py found best. Channels of a
CSNet that weight decay has switched off (|γ| < 1e-20) are taken out in any case.
OUT may also be what `sodkeras prune` wrote, with its .json beside it, or the folder of a run of `sodkeras train` that
began with random weights, on the pictures that own_photos.py tells of, or with what own_encoder.py or own_hints.py
wrote, or that went on from a .keras file of such one; or what own_hints.py made of one.
--keep_float names what stays in float in 8 bits, as for `sodkeras convert`; by default that decides.

FILE is what `sodkeras quantize-train NAME` wrote, and takes the place of NAME_int8.tflite where it is the better.
"""

import collections
import csv
import dataclasses
import hashlib
import json
import pathlib
import shlex
import shutil
import tempfile
import zipfile

from absl import app, flags

from sodkeras.analysis.complexity import complexity
from sodkeras.files import whole_file
from sodkeras.keras_file import load_keras
from sodkeras.models import MODELS, CSNet, U2Net
from sodkeras.pruning import prune
from sodkeras.tflite.benchmark import cpu_model
from sodkeras.tflite.convert import convert
from sodkeras.weights import load_model, preset, preset_names

_NAME = flags.DEFINE_string("name", None, "The preset's name.", required=True)
_TITLE = flags.DEFINE_string("title", None, "What it is, in a few words.")
_CALIBRATE = flags.DEFINE_string("calibrate", None, "Pictures to calibrate 8 bits with.")
_SIZE = flags.DEFINE_integer("size", None, "The side of its pictures, if another than in training.", lower_bound=1)
_SHARPEN = flags.DEFINE_float("sharpen", 1, "What the logits are multiplied by.", lower_bound=1)
_AVERAGE = flags.DEFINE_float("average", 1, "The share of the run's weights.", lower_bound=0, upper_bound=1)
_KEEP_FLOAT = flags.DEFINE_list("keep_float", None, "Patterns of what stays in float in 8 bits, if not as ever.")
_BEFORE = flags.DEFINE_string("before", None, "What own_weights_gpu.py wrote of what OUT started from.")
_EIGHT_BITS = flags.DEFINE_string("eight_bits", None, "A trained 8-bit file to take.")
#: What own_weights.py trains, in this order, by what a card calls it.
_RUNS = {
    "before pruning": "run",
    "after pruning": "run/pruned",
    "with scenes": "wide",
    "with scenes at full size": "sharp",
}
#: What is packaged for phones, too: its numerics, and what they are called in names and titles.
_FOR_PHONES = {"float16": ("float16", "in half precision"), "static_wi8_ai8": ("int8", "in 8 bits")}
_LARGEST = 1_000_000
_PRESETS = pathlib.Path(__file__).parent.parent / "sodkeras" / "presets"
_PRUNED_ORIGIN = (
    "U²-Net† of Qin et al., U²-Net, Pattern Recognition 2020, trained on DUTS-TR by the authors, with fewer channels "
    "(`sodkeras prune`, benchmarks/package_weights.py)"
)
#: Who labelled what own_photos.py tells of; the scenes are those that it names.
_FROM_RANDOM = {
    "command": "",
    "start": "random weights",
    "teacher": "u2net-320x320-static_wi8_ai8",
    "scenes": {"count": 0, "teacher": "u2netp"},
    "epochs": {},
    "minutes": {},
    "hardware": "",
}
#: What a card counts of each stage.
_COUNTED = ("epochs", "minutes")
_TAUGHT_ORIGIN = (
    "trained by this project (benchmarks/own_hints.py) on pictures labelled by U²-Net and by hand, the encoder first "
    "that of MediaPipe's Objectron (benchmarks/own_encoder.py)"
)
_ORIGIN = "trained by this project (benchmarks/own_weights.py) on pictures labelled by U²-Net and by hand"


def main(arguments):
    if _EIGHT_BITS.value:
        return take_eight_bits(f"{_NAME.value}_int8", pathlib.Path(_EIGHT_BITS.value))
    if len(arguments) < 2 or not _TITLE.value or not _CALIBRATE.value:
        raise app.UsageError("name an OUT, with --title and --calibrate, or --eight_bits")
    model, history = trained(arguments[1:])
    is_csnet = isinstance(model, CSNet)
    if is_csnet:
        model, _ = prune(model)
    # What was widened has the name of what it was; the 8-bit file says its network's.
    renamed = type(model).from_config(model.get_config() | {"name": _NAME.value})
    renamed.set_weights(model.get_weights())
    model = renamed
    if _SIZE.value:
        model.preprocessing = dataclasses.replace(model.preprocessing, size=(_SIZE.value, _SIZE.value))
    if _SHARPEN.value != 1:
        # Behind it there is only upsampling, which is linear.
        classifier = model.get_layer("classifier" if is_csnet else "head")
        classifier.set_weights([_SHARPEN.value * values for values in classifier.get_weights()])
        history = history | {"sharpened": _SHARPEN.value * history.get("sharpened", 1)}
    cost = complexity(model)
    facts = {
        "name": _NAME.value,
        "title": _TITLE.value,
        "model": type(model).__name__,
        "arguments": arguments_of(model),
        "preprocessing": model.preprocessing.to_dict(),
        "licence": "Apache-2.0",
        "origin": _PRUNED_ORIGIN if "pruned" in history else _TAUGHT_ORIGIN if "encoder" in history else _ORIGIN,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "flops": cost.flops,
        "training": history,
    }
    with tempfile.TemporaryDirectory() as folder:
        # Under the preset's own name: it is what the file's metadata will say.
        source = pathlib.Path(folder) / f"{_NAME.value}.keras"
        model.save(source)
        deflate(source)
        take(source, source.name, facts)
        for converted, (short, words) in zip(
            convert(source, folder, list(_FOR_PHONES), _CALIBRATE.value, keep_float=_KEEP_FLOAT.value),
            _FOR_PHONES.values(),
            strict=True,
        ):
            name = f"{_NAME.value}_{short}"
            take(converted, f"{name}.tflite", facts | {"name": name, "title": f"{_TITLE.value}, {words}"})


def arguments_of(model):
    """What a preset says of how the network is built."""
    match model:
        case CSNet():
            return {"width": model.width, "plan": model.channels}
        case U2Net():
            return {"variant": model.variant}
    config = model.get_config()
    return {name: config[name] for name in config if name not in ("name", "trainable", "preprocessing")}


def take(made, name, facts):
    """Puts a file, under a name, and its preset into the package."""
    size = pathlib.Path(made).stat().st_size
    if size > _LARGEST:
        print(f"{name} is left out: {size / 1e6:.2f} MB")
        return
    with whole_file(_PRESETS / name) as temporary:
        shutil.copy(made, temporary)
    write_preset(facts, _PRESETS / name)


def trained(names):
    """The network that OUT, or several, stand for, and what a model card says of how it was made."""
    outs = [pathlib.Path(name) for name in names]
    if all((out / "settings.json").exists() for out in outs):
        models, history = [load_keras(out / "last.keras") for out in outs], training_on(*outs)
        model, shares = models[0], [_AVERAGE.value / len(outs)] * len(outs)
        if _AVERAGE.value != 1:
            models.append(load_model(started_from(record_of(outs[0])).name))
            shares.append(1 - _AVERAGE.value)
            history |= {"averaged": _AVERAGE.value}
        model.set_weights(mean_weights(models, shares))
        return model, history
    if len(outs) > 1 or _AVERAGE.value != 1:
        raise app.UsageError(f"an average needs runs of `sodkeras train` as OUT, got {' '.join(names)}")
    if outs[0].suffix == ".keras":
        told = json.loads(outs[0].with_suffix(".json").read_text(encoding="utf-8"))
        return load_keras(outs[0]), pruned(outs[0]) if "pruned" in told else made(outs[0])
    if names[0] in preset_names():
        return load_model(names[0]), preset(names[0])["training"]
    return load_keras(last_run(outs[0]) / "last.keras"), training(outs[0])


def mean_weights(models, shares):
    """What networks of one plan have as weights, each with its share."""
    layers = zip(*(model.get_weights() for model in models), strict=True)
    return [sum(share * values for share, values in zip(shares, layer, strict=True)) for layer in layers]


def record_of(run):
    return json.loads((run / "settings.json").read_text(encoding="utf-8"))


def started_from(record):
    """What a run of `sodkeras train` went on from, by its settings.json: a path, or a preset's name as one."""
    return pathlib.Path(record["changes"]["network"])


def pruned(file):
    """What a model card says of a file of `sodkeras prune`."""
    record = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    how = {name: record[name] for name in ("pictures", "size", "tolerance", "filters", "parameters", "multiply_adds")}
    filters = f"--filters={','.join(map(str, how['filters']))}"
    chosen = filters if how["tolerance"] is None else f"--tolerance={how['tolerance']}"
    command = f"sodkeras prune {record['pruned']} --pictures=FOLDER --limit={len(how['pictures'])} {chosen}"
    if how["size"]:
        command += f" --size={how['size']}"
    return {
        "command": f"{command} --out={file.name}",
        "start": which(record["pruned"]),
        "pruned": how | {"lost": record["lost"]["fusion_conv"]},
    }


def take_eight_bits(name, trained):
    """Puts a file of quantization-aware training in the place of a preset's."""
    facts = preset(name)
    metadata = json.loads(trained.with_suffix(".json").read_text(encoding="utf-8"))
    facts["training"]["eight_bits"] = metadata["quantization_aware_training"]
    file = _PRESETS / facts["file"]
    with whole_file(file) as temporary:
        shutil.copy(trained, temporary)
    write_preset(facts, file)


def deflate(path):
    """Packs a .keras file anew, compressed: most of it is HDF5's padding around hundreds of small arrays."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def training(out):
    """What a model card says of the runs in a folder."""
    record = record_of(last_run(out))
    how = json.loads((out / "how.json").read_text(encoding="utf-8"))
    epochs, minutes = {}, {}
    changed = "".join(f"{word}, " for word, told in (("wider", how["widen"]), ("revived", how["revive"])) if told)
    if not (out / "run").exists():
        before = preset(how["start"])["training"]
        epochs, minutes = before["epochs"], before["minutes"]
    for stage, folder in _RUNS.items():
        if (out / folder).exists():
            seconds = epoch_seconds(out / folder)
            epochs |= {f"{changed}{stage}": len(seconds)}
            minutes |= {f"{changed}{stage}": round(sum(seconds) / 60)}
    return {
        "command": command(how),
        "data": record["data"],
        "start": ", ".join([which(how["start"]), *changed.split(", ")[:-1]]) if how["start"] else "random weights",
        "teacher": pathlib.Path(how["teacher"]).stem,
        "scenes": {"count": how["scenes"], "teacher": pathlib.Path(how["teacher"]).stem},
        "epochs": epochs,
        "minutes": minutes,
        "hardware": f"{record['machine']['cores']} cores of {cpu_model()}",
        "versions": record["versions"],
    }


def training_on(*runs):
    """What a model card says of runs that went on from a preset, from where a GPU had stopped, or from another run."""
    records = [record_of(run) for run in runs]
    network, data = started_from(records[0]), records[0]["data"]
    if any(started_from(record) != network or record["data"] != data for record in records):
        raise app.UsageError(f"runs to average need one start and the same pictures, got {' '.join(map(str, runs))}")
    if _BEFORE.value:
        on_gpu = json.loads(pathlib.Path(_BEFORE.value).read_text(encoding="utf-8"))[network.stem]
        began = on_gpu["start"].split()[0]
        labelled = {"teacher": on_gpu["scenes"]["teacher"]}
        first = preset(began)["training"] if began in preset_names() else _FROM_RANDOM | labelled
        before = first | {name: first[name] | on_gpu[name] for name in _COUNTED}
        before |= {name: on_gpu[name] for name in ("start", "scenes", "command")}
        before["hardware"] = f"one {on_gpu['hardware']}"
    else:
        before = made(network)
    commands, epochs, minutes = (
        [before["command"]] * bool(before["command"]),
        {**before["epochs"]},
        {**before["minutes"]},
    )
    for run, record in zip(runs, records, strict=True):
        changes = record["changes"] | {"network": network.name}
        given = shlex.join(f"--set={name}={json.dumps(value).replace(' ', '')}" for name, value in changes.items())
        recipe = f"{record['recipe']} --short" if record["short"] else record["recipe"]
        commands.append(f"sodkeras train --recipe={recipe} --data=FOLDER --out=FOLDER {given}")
        seconds, steps = epoch_seconds(run), record["settings"]["steps_per_epoch"]
        how = (
            "at {}×{}".format(*record["settings"]["size"])
            if record["settings"]["batch_statistics"]
            else "as it is used"
        )
        stage = f"of {steps} steps, {how}" if steps else how
        epochs[stage] = epochs.get(stage, 0) + len(seconds)
        minutes[stage] = minutes.get(stage, 0) + round(sum(seconds) / 60)
    here, hardware = f"{records[0]['machine']['cores']} cores of {cpu_model()}", before["hardware"]
    return {
        "command": "; ".join(commands),
        "runs": len(runs),
        "data": data,
        **{name: before[name] for name in ("start", "encoder", "teacher", "scenes") if name in before},
        "epochs": epochs,
        "minutes": minutes,
        "hardware": f"{here}, before on {hardware}" if hardware and not hardware.startswith(here) else hardware or here,
        "versions": records[0]["versions"],
    }


def made(network):
    """What a model card says of how the network came about that a run went on from."""
    if (network.parent / "settings.json").exists():
        return training_on(network.parent)
    if network.name in MODELS:
        return _FROM_RANDOM
    if network.suffix != ".keras":
        return preset(network.name)["training"]
    told = json.loads(network.with_suffix(".json").read_text(encoding="utf-8"))
    if "taught" not in told:
        return _FROM_RANDOM | told
    before = made(pathlib.Path(told["taught"]))
    counts = {name: dict(collections.Counter(before[name]) + collections.Counter(told[name])) for name in _COUNTED}
    return before | counts | {"command": "; ".join(filter(None, [before["command"], told["command"]]))}


def epoch_seconds(run):
    with (run / "log.csv").open(encoding="utf-8") as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)]


def last_run(out):
    return [out / folder for folder in _RUNS.values() if (out / folder).exists()][-1]


def which(name):
    """A preset as it is now, before it is written anew."""
    return f"{name} ({preset(name)['sha256'][:8]})"


def command(how):
    """What own_weights.py was called with, a teacher that is a file by its name alone."""
    told = {name: value for name, value in how.items() if value is not None}
    told["teacher"] = pathlib.Path(told["teacher"]).name
    given = " ".join(f"--{name}={value}" for name, value in told.items())
    return f"python benchmarks/own_weights.py --data=FOLDER --out=FOLDER {given}"


def write_preset(facts, file):
    content = file.read_bytes()
    facts |= {"file": file.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    with whole_file(_PRESETS / f"{facts['name']}.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{file.name}: {len(content) / 1e6:.2f} MB")


if __name__ == "__main__":
    app.run(main)
