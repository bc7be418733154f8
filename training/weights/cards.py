"""Writes the cards of the networks in the package, docs/weights/NAME.md, from data alone.

usage: python training/weights/cards.py [NAME …]

Reads the presets that training/weights made, scores.csv (scores.py) and, where it is there, what was seen to go wrong,
docs/weights/NAME.failures.md. A file for phones shares its network's card.
"""

import csv
import pathlib

from absl import app
from tabulate import tabulate

from sodkeras import weights
from sodkeras.files import whole_file

_HERE = pathlib.Path(__file__).parent
_DOCS = _HERE.parent.parent / "docs" / "weights"
_PEER = "u2netp"
_SUFFIXES = ("_float16", "_int8")
_USE = "It finds what stands out in a photo; do not use it to decide anything about a person."
_DUTS = (
    "Trained on DUTS-TR: photos of ImageNet's detection set with masks drawn by hand, published for research. The "
    "photos are not distributed here; whoever uses what was learned from them decides whether that suits the use. It "
    "has the set's bias: one large thing in the middle, animals and people more than tools and signs."
)


def networks():
    """The presets of each network that has a card, by its name: the float file's first."""
    found = {}
    for name in weights.preset_names():
        if "commands" in weights.preset(name).get("training", {}):
            network = name
            for suffix in _SUFFIXES:
                network = network.removesuffix(suffix)
            found.setdefault(network, []).append(weights.preset(name))
    return found


def card(name, presets, scores):
    """The text of a network's card."""
    facts, training = presets[0], presets[0]["training"]
    height, width = facts["preprocessing"]["size"]
    rows = [
        ("network", f"{facts['model']}, {facts['parameters']:,} parameters"),
        ("multiply-adds, papers' FLOPs", f"{facts['multiply_adds'] / 1e6:,.0f} M, {facts['flops'] / 1e6:,.0f} M"),
        ("picture", f"{height}×{width}, RGB"),
        ("files", ", ".join(f"{preset['file']} ({preset['bytes'] / 1e6:.2f} MB)" for preset in presets)),
        ("licence of the weights", facts["licence"]),
        ("origin", facts["origin"]),
        ("began as", training["start"]),
        *_trained(training),
    ]
    names = [preset["name"] for preset in presets]
    scored = [
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
    parts = [
        f"# {name}: {facts['title']}",
        _USE,
        tabulate(rows, headers=("", ""), tablefmt="github"),
        "\n".join(["Made by", "", "```sh", *training["commands"], "```"]),
        _DUTS,
        "## Scores",
        "Pictures that were not trained on, nor used to choose anything, scored in 8 bits at their own size against "
        "masks at > 127. maxF is from precision and recall averaged over the pictures first (β² = 0.3), with the 95 % "
        "bootstrap interval (`python training/weights/scores.py --data=FOLDER`). On x86, which computes float16 in "
        "single precision.",
        tabulate(scored, headers=("set", "pictures", "model", "maxF", "MAE"), tablefmt="github", disable_numparse=True),
    ]
    failures = _DOCS / f"{name}.failures.md"
    if failures.exists():
        parts += ["## What goes wrong", failures.read_text(encoding="utf-8").strip()]
    return "\n\n".join(parts) + "\n"


def _trained(training):
    if "stages" not in training:
        return
    pictures = training["pictures"]
    stages = [
        f"{stage['epochs']} epochs at {stage['size'][0]}×{stage['size'][1]}" for stage in training["stages"].values()
    ]
    yield "pictures", f"{pictures['training']:,} to train on, {pictures['validation']:,} kept to choose by"
    yield "epochs", ", then ".join(stages)
    yield "time", f"{training['minutes']:,} minutes on {training['hardware']}, which did other work, too"


def main(arguments):
    with (_HERE / "scores.csv").open(encoding="utf-8") as file:
        scores = list(csv.DictReader(file))
    for name, presets in networks().items():
        if name in (arguments[1:] or networks()):
            with whole_file(_DOCS / f"{name}.md") as temporary:
                temporary.write_text(card(name, presets, scores), encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
