"""Pictures of what pruning did. Needs matplotlib."""

import numpy as np
from keras import ops

from sodkeras.callbacks.dynamic_weight_decay import block_units


def plot_channels(plans):
    """Bars of the channels of every block and scale, one colour a network (ECCV 2020, Fig. 7; TPAMI 2021, Fig. 10).

    Args:
        plans: labels such as "before" and "after" to channel plans with the same blocks.

    Returns:
        A matplotlib `Figure`: one axes a scale, the finest on top.
    """
    from matplotlib.figure import Figure

    scales = max(len(block) for plan in plans.values() for stage in plan["stages"] for block in stage)
    figure = Figure(figsize=(10, 2.5 * scales), layout="constrained")
    for scale, axes in enumerate(figure.subplots(scales, sharex=True, squeeze=False)[:, 0]):
        for position, (label, plan) in enumerate(plans.items()):
            names = [f"{stage}.{n}" for stage, blocks in enumerate(plan["stages"]) for n in range(len(blocks))]
            counts = [block[scale] if scale < len(block) else 0 for blocks in plan["stages"] for block in blocks]
            width = 0.8 / len(plans)
            axes.bar(np.arange(len(counts)) + position * width, counts, width, align="edge", label=label)
            axes.set_xticks(np.arange(len(names)) + 0.4, names, rotation=90)
        axes.set(ylabel="channels", title=f"scale 1/{2**scale} of the block")
        axes.legend()
    return figure


def plot_gammas(models):
    """The distribution of |γ| of the in-layer blocks' batch norms, one line a network.

    As ECCV 2020, Fig. 4b, and TPAMI 2021, Fig. 5.

    Args:
        models: labels such as "dynamic" and "plain" to `CSNet` models.

    Returns:
        A matplotlib `Figure`, |γ| on a logarithmic axis; what is under 1e-40 stands there.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for label, model in models.items():
        gammas = np.concatenate([ops.convert_to_numpy(norm.gamma) for norm, _ in block_units(model)])
        axes.hist(np.log10(np.maximum(np.abs(gammas), 1e-40)), bins=80, histtype="step", label=label)
    axes.set(xlabel="log10 |γ|", ylabel="channels", yscale="log")
    axes.legend()
    return figure
