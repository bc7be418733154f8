"""CSNet-L ×2, trained further on DUTS-TR: the pruned network in the package is where it begins.

usage: python training/weights/csnet_l_x2.py --data=DUTS-TR --out=runs/csnet_l_x2 [--start=csnet_l_x2] [--steps=20]

Two cores see about four times as many pictures of 128×128 in a second as of 224×224, so most epochs are of the former.
"""

from absl import flags
from chain import COMMON, start


def on_from(chain, network, epochs=(16, 6)):
    """Trains a CSNet further, on small pictures first.

    Args:
        chain: a `Chain`.
        network: a preset's name or a .keras file.
        epochs: of the two runs.
    """
    small = chain.run(
        "small", model=network, size=128, learning_rate=1e-3, epochs=epochs[0], warm_up_epochs=0.2, **COMMON
    )
    chain.run("whole", model=str(small), size=192, learning_rate=3e-4, epochs=epochs[1], warm_up_epochs=0.1, **COMMON)
    chain.record(start=f"{network}, as it was in the package before")


def begin(script, network):
    """Runs a script that trains a CSNet of the package further."""
    flags.DEFINE_string("start", network, "The network to begin with: a preset or a .keras file.")
    start(script, lambda chain, flag_values: on_from(chain, flag_values.start))


if __name__ == "__main__":
    begin(__file__, "csnet_l_x2")
