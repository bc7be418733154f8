"""Taking channels out of a trained CSNet."""

import keras
import numpy as np
from keras import ops

from sodkeras.models.channel_plan import check_plan
from sodkeras.models.csnet import CSNet
from sodkeras.pruning.criteria import CRITERIA

#: What the papers prune γ at (ECCV 2020, Sec. 3.4).
THRESHOLD = 1e-20


def prune(model, criterion="gamma", threshold=None, ratio=None):
    """A smaller CSNet with the channels that matter, and its channel plan.

    The channels of each gOctConv and of each scale's dilated convolutions are scored; the depthwise units of a block
    lose those that the block's gOctConv loses. Weights, batch norms with their statistics, and slopes of the surviving
    channels are carried over. What removed channels added behind them (their β, above all) is lost, so that statistics
    should be estimated anew: see `sodkeras.pruning.re_estimate_statistics`.

    Args:
        model: a `CSNet`.
        criterion: a name in `CRITERIA`, or a function of the same form.
        threshold: channels with a score under it are removed, everywhere alike; the default for "gamma" is 1e-20.
        ratio: instead of a threshold, the share, from 0 to under 1, that is removed from each layer and scale.

    Returns:
        `(pruned model, plan)`; the plan is described in `sodkeras.models.channel_plan`.

    Raises:
        SodkerasError: if a dead path would be left: a block, a fused stage or the fusion without channels.
        ValueError: for another network, or without exactly one of threshold and ratio.
    """
    if not isinstance(model, CSNet):
        raise ValueError(f"prune takes a CSNet. Received: {type(model).__name__}")
    if threshold is None and ratio is None and criterion == "gamma":
        threshold = THRESHOLD
    if (threshold is None) == (ratio is None) or not (ratio is None or 0 <= ratio < 1):
        raise ValueError(
            "prune needs either a threshold or a ratio from 0 to under 1. Received: "
            f"threshold={threshold}, ratio={ratio}"
        )
    if not callable(criterion) and criterion not in CRITERIA:
        raise ValueError(f"The criterion is a function or one of {sorted(CRITERIA)}. Received: {criterion!r}")
    score = criterion if callable(criterion) else CRITERIA[criterion]

    def surviving(norm, filters):
        scores = np.asarray(score(ops.convert_to_numpy(norm.gamma), filters))
        if ratio is None:
            return scores >= threshold
        keep = np.ones(len(scores), bool)
        keep[np.argsort(scores, kind="stable")[: int(ratio * len(scores))]] = False
        return keep

    masks = _Masks(model, surviving)
    plan = check_plan(masks.plan())
    pruned = CSNet.from_config(model.get_config() | {"plan": plan})
    masks.carry_over(pruned)
    return pruned, plan


class _Masks:
    """Which channels of a network survive, by unit and scale."""

    def __init__(self, model, surviving):
        self._model = model
        self._blocks = {
            (stage, number): model.get_layer(f"stage{stage}_{number}")
            for stage, blocks in enumerate(model.channels["stages"])
            for number in range(len(blocks))
        }
        self._fusion = model.get_layer("fusion") if model.channels["fusion"] else None

        def of_unit(unit):
            return {j: surviving(unit.norms[str(j)], _filters(_into(unit, j))) for j in unit.output_scales}

        #: {scale: mask of channels} for each block, for the fusion's two gOctConvs and its dilated convolutions.
        self._block_masks = {key: of_unit(block.mix) for key, block in self._blocks.items()}
        if self._fusion:
            self._mixed = of_unit(self._fusion.mix)
            self._merged = of_unit(self._fusion.merge)
            self._dilated = {}
            for scale, layer in zip(self._fusion.mix.output_scales, self._fusion.dilated, strict=True):
                # The dilations' channels stand one behind the other under one batch norm.
                filters = np.concatenate([_filters([conv]) for conv in layer.convs.values()], -1)
                self._dilated[scale] = surviving(layer.norm, filters)

    def plan(self):
        stages, fusion = [], None
        for stage, blocks in enumerate(self._model.channels["stages"]):
            stages.append(
                [_counts(self._block_masks[stage, number], len(filters)) for number, filters in enumerate(blocks)]
            )
        if self._fusion:
            old = self._model.channels["fusion"]
            fusion = old | {
                "mixed": _counts(self._mixed, len(old["mixed"])),
                "dilated": [
                    [int(part.sum()) for part in np.split(self._dilated[scale], np.cumsum(row)[:-1])]
                    for scale, row in enumerate(old["dilated"])
                ],
                "filters": int(self._merged[0].sum()),
            }
        return {"stages": stages, "fusion": fusion}

    def carry_over(self, pruned):
        """Fills the pruned network."""
        incoming = {0: np.ones(3, bool)}
        features = {}
        for (stage, number), block in self._blocks.items():
            new, outgoing = pruned.get_layer(block.name), self._block_masks[stage, number]
            _carry_unit(block.mix, new.mix, incoming, outgoing)
            _carry_unit(block.unit1, new.unit1, outgoing, outgoing)
            _carry_unit(block.unit2, new.unit2, outgoing, outgoing)
            incoming = outgoing
            features[stage] = outgoing.get(0)
        last = features[4]
        if self._fusion:
            new = pruned.get_layer("fusion")
            stages = self._model.channels["fusion"]["stages"]
            _carry_unit(self._fusion.mix, new.mix, {i: features[stage] for i, stage in enumerate(stages)}, self._mixed)
            for scale, old_layer, new_layer in zip(self._mixed, self._fusion.dilated, new.dilated, strict=True):
                self._carry_dilated(old_layer, new_layer, self._mixed[scale], self._dilated[scale])
            _carry_unit(self._fusion.merge, new.merge, self._dilated, self._merged)
            last = self._merged[0]
        old, new = self._model.get_layer("classifier"), pruned.get_layer("classifier")
        new.kernel.assign(ops.convert_to_numpy(old.kernel)[:, :, last])
        new.bias.assign(old.bias)

    def _carry_dilated(self, old, new, incoming, outgoing):
        parts = np.split(outgoing, np.cumsum([conv.filters for conv in old.convs.values()])[:-1])
        for (rate, conv), part in zip(old.convs.items(), parts, strict=True):
            if part.any():
                new.convs[rate].kernel.assign(ops.convert_to_numpy(conv.kernel)[:, :, incoming][..., part])
        _carry_norm(old.norm, new.norm, old.activation_layer, new.activation_layer, outgoing)


def _into(unit, j):
    """The convolutions of an octave layer that lead to one output scale."""
    return [conv for path, conv in unit.convs.items() if path.endswith(f"to{j}")]


def _filters(convs):
    """The kernels that convolutions apply, over all their inputs: [n, channels]."""
    kernels = [ops.convert_to_numpy(conv.kernel) * getattr(conv, "kernel_scale", 1) for conv in convs]
    return np.concatenate([kernel.reshape(-1, kernel.shape[-1]) for kernel in kernels])


def _counts(masks, scales):
    return [int(masks[scale].sum()) if scale in masks else 0 for scale in range(scales)]


def _carry_unit(old, new, incoming, outgoing):
    for path, conv in new.convs.items():
        i, j = map(int, path.split("to"))
        kernel = ops.convert_to_numpy(old.convs[path].kernel)[:, :, incoming[i]]
        conv.kernel.assign(kernel if new.depthwise else kernel[..., outgoing[j]])
    for scale in new.output_scales:
        key = str(scale)
        _carry_norm(old.norms[key], new.norms[key], old.activations[key], new.activations[key], outgoing[scale])


def _carry_norm(old_norm, new_norm, old_activation, new_activation, mask):
    for old, new in zip(old_norm.weights, new_norm.weights, strict=True):
        new.assign(ops.convert_to_numpy(old)[mask])
    if isinstance(old_activation, keras.layers.PReLU):
        new_activation.alpha.assign(ops.convert_to_numpy(old_activation.alpha)[..., mask])
