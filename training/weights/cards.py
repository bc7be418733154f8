"""Writes what the data says into the cards of the networks in the package, docs/weights/NAME.md, one a network.

usage: python training/weights/cards.py [NAME …]

A card is written by hand but for two parts, between `<!-- facts -->` or `<!-- scores -->` and `<!-- end -->`, which are
made anew of the network's preset and of scores.csv (scores.py). A network without a card gets one to go on from.
"""

import csv
import pathlib
import re

from absl import app
from tabulate import tabulate

from sodkeras import weights
from sodkeras.files import whole_file

_HERE = pathlib.Path(__file__).parent
_DOCS = _HERE.parent.parent / "docs" / "weights"
_PEER = "u2netp_keras"
_PART = re.compile(r"(<!-- (facts|scores) -->\n).*?(<!-- end -->)", re.S)
_NEW = """<!-- facts -->
<!-- end -->

## What it was trained on

DUTS-TR: photos of ImageNet's detection set with masks drawn by hand, published for research. The photos are not
distributed here; whoever uses what was learned from them decides whether that suits the use. It has the set's bias: one
large thing in the middle, animals and people more than tools and signs.

<!-- scores -->
<!-- end -->
"""


def card(text, name, scores):
    """A card's text with its two parts as the data has them.

    Args:
        text: of the card as it is; None where there is none.
        name: the network's.
        scores: the rows of scores.csv.
    """
    preset = weights.preset(name)
    parts = {"facts": _facts(preset), "scores": _scores(preset, scores)}
    return _PART.sub(lambda match: f"{match[1]}{parts[match[2]]}\n{match[3]}", text or _NEW)


def _facts(preset):
    name, training = preset["name"], preset.get("training", {})
    height, width = preset["preprocessing"]["size"]
    rows = [
        ("network", f"{preset['model']}, {preset['parameters']:,} parameters"),
        ("multiply-adds, papers' FLOPs", f"{preset['multiply_adds'] / 1e6:,.0f} M, {preset['flops'] / 1e6:,.0f} M"),
        ("picture", f"{height}×{width}, RGB"),
        *(_file(kind, file, preset) for kind, file in preset["files"].items()),
        ("licence of the weights", preset["licence"]),
        ("origin", preset["origin"]),
        *([("began as", training["start"])] if training else []),
        *(_trained(training) if "stages" in training else []),
    ]
    parts = [
        f"# {name}: {preset['title']}",
        "It finds what stands out in a photo; do not use it to decide anything about a person.",
        tabulate(rows, headers=("", ""), tablefmt="github", disable_numparse=True),
    ]
    if training:
        made = f"Made at commit {training['commit']} of this repository by" if "commit" in training else "Made by"
        parts += [made, "\n".join(["```sh", *training["commands"], "```"])]
    return "\n\n".join(parts)


def _file(kind, file, preset):
    """What a card says of a file, and which of them runs by the network's name alone."""
    where = "fetched" if "sources" in file else "in the package"
    text = f"{file['file']}, {file['bytes'] / 1e6:,.2f} MB, {where}"
    return f"`{preset['name']}_{kind}`", text + f"; what `{preset['name']}` runs" * (kind == preset["kind"])


def _trained(training):
    pictures = training["pictures"]
    stages = [
        f"{stage['epochs']} epochs at {stage['size'][0]}×{stage['size'][1]}" for stage in training["stages"].values()
    ]
    yield "pictures", f"{pictures['training']:,} to train on, {pictures['validation']:,} kept to choose by"
    yield "epochs", ", then ".join(stages)
    yield "time", f"{training['minutes']:,} minutes on {training['hardware']}, which did other work, too"


def _scores(preset, scores):
    names = {f"{preset['name']}_{kind}" for kind in preset["files"]}
    rows = [
        [
            row["set"],
            row["pictures"],
            row["model"],
            f"{row['max_f']} ({row['max_f_interval']})",
            f"{row['mae']} ({row['mae_interval']})",
        ]
        for row in scores
        if row["model"] in {*names, _PEER}
    ]
    return "\n\n".join(
        [
            "## Scores",
            "Pictures that were not trained on, nor used to choose anything but what this card says, scored in 8 bits "
            "at their own size against masks at > 127; each row is of one file. maxF is from precision and recall "
            "averaged over the pictures first (β² = 0.3), with the 95 % bootstrap interval "
            "(`python training/weights/scores.py --data=FOLDER`). On x86, which computes float16 in single precision; "
            "what half precision on ARM does to the maps is in [docs/results.md](../results.md).",
            tabulate(
                rows, headers=("set", "pictures", "file", "maxF", "MAE"), tablefmt="github", disable_numparse=True
            ),
        ]
    )


def main(arguments):
    with (_HERE / "scores.csv").open(encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    for name in arguments[1:] or weights.preset_names():
        path = _DOCS / f"{name}.md"
        text = card(path.read_text(encoding="utf-8") if path.exists() else None, name, scores)
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
