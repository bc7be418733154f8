"""U²-Net† with fewer channels, pruned on pictures of DUTS-TR and fine-tuned on its masks.

usage: python training/weights/u2netp_pruned.py --data=DUTS-TR --out=runs/u2netp_pruned [--side=320] [--steps=20]

It keeps the statistics that U²-Net†'s batch norms have: batches of this size would give worse ones.
"""

import pathlib

from absl import flags
from chain import COMMON, start

from sodkeras.commands import main as commands

# Of each block, encoder from the outside in, then decoder from the inside out: half the work of U²-Net†.
_FILTERS = "40,50,52,52,50,48,44,44,42,34,32"
_PICTURES = 300


def train_all(chain, flag_values):
    pruned = pathlib.Path(flag_values.out) / "pruned.keras"
    if not pruned.exists():
        pictures = [pair.picture for pair in chain.training][:: max(1, len(chain.training) // _PICTURES)]
        count = 4 if flag_values.steps else _PICTURES
        command = ["prune", "--model=u2netp", f"--pictures={','.join(map(str, pictures[:count]))}", f"--out={pruned}"]
        if commands.main(
            [*command, f"--filters={_FILTERS}", f"--size={flag_values.side}x{flag_values.side}", f"--limit={count}"]
        ):
            raise SystemExit(1)
    chain.run(
        "whole",
        model=str(pruned),
        size=flag_values.side,
        batch_statistics=False,
        learning_rate=1e-4,
        epochs=flag_values.epochs,
        warm_up_epochs=0.05,
        **(COMMON | {"batch": 8}),
    )
    chain.record(start="U²-Net†, the authors' released weights (u2netp, Apache-2.0)")


def begin(script, side):
    """Runs a script that prunes U²-Net† for pictures of a size, and fine-tunes it."""
    flags.DEFINE_integer("side", side, "Height and width of the network's pictures.", lower_bound=32)
    flags.DEFINE_integer("epochs", 3, "Of the fine-tuning.", lower_bound=1)
    start(script, train_all)


if __name__ == "__main__":
    begin(__file__, 320)
