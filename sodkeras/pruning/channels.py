"""A CSNet made of another one's channels: fewer (`prune`), some several times (`widen`), some anew (`revive`)."""

import keras
import numpy as np
from keras import ops

from sodkeras.models.channel_plan import check_plan
from sodkeras.models.csnet import CSNet


class Channels:
    """Which channels of a network a new one has, by unit and scale.

    They are chosen for each gOctConv, and for the dilated convolutions of each scale, which stand one behind the other
    under one batch norm; the depthwise units of a block have the channels of the block's gOctConv.

    Args:
        model: a `CSNet`.
        choose: a function of a batch norm and of the weights its channels are computed with, `[n, channels]`, that
            returns the indices of the channels to have, ascending; one that is there twice becomes two channels, and
            ~i in the place of i stands for a channel that starts anew, which no channel but new ones listens to yet.
        rng: a `numpy.random.Generator`, needed where one is there several times: what the next layer did with it is
            then shared out among them at random, differently for each of its filters, so that they learn to differ.
    """

    def __init__(self, model, choose, rng=None):
        self._model, self._rng = model, rng
        self._blocks = {
            (stage, number): model.get_layer(f"stage{stage}_{number}")
            for stage, blocks in enumerate(model.channels["stages"])
            for number in range(len(blocks))
        }
        self._fusion = model.get_layer("fusion") if model.channels["fusion"] else None

        def of_unit(unit):
            return {j: choose(unit.norms[str(j)], _filters(_into(unit, j))) for j in unit.output_scales}

        #: {scale: indices} for each block, for the fusion's two gOctConvs and its dilated convolutions.
        self._of_blocks = {key: of_unit(block.mix) for key, block in self._blocks.items()}
        if self._fusion:
            self._mixed = of_unit(self._fusion.mix)
            self._merged = of_unit(self._fusion.merge)
            self._dilated = {}
            for scale, layer in zip(self._fusion.mix.output_scales, self._fusion.dilated, strict=True):
                filters = np.concatenate([_filters([conv]) for conv in layer.convs.values()], -1)
                self._dilated[scale] = choose(layer.norm, filters)

    def network(self):
        """`(network, plan)`; weights, batch norms with their statistics, and slopes are carried over.

        Raises:
            SodkerasError: if a block, a fused stage or the fusion has no channels.
        """
        plan = check_plan(self._plan())
        network = CSNet.from_config(self._model.get_config() | {"plan": plan})
        self._carry_over(network)
        return network, plan

    def _plan(self):
        stages, fusion = [], None
        for stage, blocks in enumerate(self._model.channels["stages"]):
            stages.append(
                [_counts(self._of_blocks[stage, number], len(filters)) for number, filters in enumerate(blocks)]
            )
        if self._fusion:
            old = self._model.channels["fusion"]
            fusion = old | {
                "mixed": _counts(self._mixed, len(old["mixed"])),
                "dilated": [
                    [len(part) for part in _parts(self._dilated[scale], row)]
                    for scale, row in enumerate(old["dilated"])
                ],
                "filters": len(self._merged[0]),
            }
        return {"stages": stages, "fusion": fusion}

    def _carry_over(self, network):
        incoming = {0: np.arange(3)}
        features = {}
        for (stage, number), block in self._blocks.items():
            new, outgoing = network.get_layer(block.name), self._of_blocks[stage, number]
            self._carry_unit(block.mix, new.mix, incoming, outgoing)
            self._carry_unit(block.unit1, new.unit1, outgoing, outgoing)
            self._carry_unit(block.unit2, new.unit2, outgoing, outgoing)
            incoming = outgoing
            features[stage] = outgoing.get(0)
        last = features[4]
        if self._fusion:
            new = network.get_layer("fusion")
            stages = self._model.channels["fusion"]["stages"]
            fused = {i: features[stage] for i, stage in enumerate(stages)}
            self._carry_unit(self._fusion.mix, new.mix, fused, self._mixed)
            for scale, old_layer, new_layer in zip(self._mixed, self._fusion.dilated, new.dilated, strict=True):
                self._carry_dilated(old_layer, new_layer, self._mixed[scale], self._dilated[scale])
            self._carry_unit(self._fusion.merge, new.merge, self._dilated, self._merged)
            last = self._merged[0]
        old, new = self._model.get_layer("classifier"), network.get_layer("classifier")
        self._carry_kernel(old, new, last, np.arange(1))
        new.bias.assign(old.bias)

    def _carry_unit(self, old, new, incoming, outgoing):
        for path, conv in new.convs.items():
            i, j = map(int, path.split("to"))
            if new.depthwise:
                _carry_channels(old.convs[path].kernel, conv.kernel, incoming[i], axis=2)
            else:
                self._carry_kernel(old.convs[path], conv, incoming[i], outgoing[j])
        for scale in new.output_scales:
            key = str(scale)
            _carry_norm(old.norms[key], new.norms[key], old.activations[key], new.activations[key], outgoing[scale])

    def _carry_dilated(self, old, new, incoming, outgoing):
        parts = _parts(outgoing, [conv.filters for conv in old.convs.values()])
        for (rate, conv), part in zip(old.convs.items(), parts, strict=True):
            if part.size:
                self._carry_kernel(conv, new.convs[rate], incoming, part)
        _carry_norm(old.norm, new.norm, old.activation_layer, new.activation_layer, outgoing)

    def _carry_kernel(self, old, new, incoming, outgoing):
        is_old_in, is_old_out = incoming[:, None] >= 0, outgoing[None] >= 0
        incoming, outgoing = incoming[incoming >= 0], outgoing[outgoing >= 0]
        carried = ops.convert_to_numpy(old.kernel)[:, :, incoming][..., outgoing]
        _, first, copies = np.unique(incoming, return_index=True, return_counts=True)
        if len(incoming) > len(first):
            shares = self._rng.uniform(0.5, 1.5, carried.shape[2:])
            carried = carried * (shares / np.repeat(np.add.reduceat(shares, first), copies, 0))
        kernel = ops.convert_to_numpy(new.kernel) * (is_old_in | ~is_old_out)
        kernel[:, :, is_old_in & is_old_out] = carried.reshape(*carried.shape[:2], -1)
        new.kernel.assign(kernel)


def _into(unit, j):
    """The convolutions of an octave layer that lead to one output scale."""
    return [conv for path, conv in unit.convs.items() if path.endswith(f"to{j}")]


def _filters(convs):
    """The kernels that convolutions apply, over all their inputs: [n, channels]."""
    kernels = [ops.convert_to_numpy(conv.kernel) * getattr(conv, "kernel_scale", 1) for conv in convs]
    return np.concatenate([kernel.reshape(-1, kernel.shape[-1]) for kernel in kernels])


def _counts(indices, scales):
    return [len(indices[scale]) if scale in indices else 0 for scale in range(scales)]


def _parts(indices, counts):
    """Indices into things that stand one behind the other, so many of each: a list of indices into each."""
    stops = np.cumsum(counts)
    cuts = np.searchsorted(np.where(indices < 0, ~indices, indices), stops[:-1])
    return [
        np.where(part < 0, part + start, part - start)
        for part, start in zip(np.split(indices, cuts), stops - counts, strict=True)
    ]


def _carry_norm(old_norm, new_norm, old_activation, new_activation, indices):
    for old, new in zip(old_norm.weights, new_norm.weights, strict=True):
        _carry_channels(old, new, indices)
    if isinstance(old_activation, keras.layers.PReLU):
        _carry_channels(old_activation.alpha, new_activation.alpha, indices)


def _carry_channels(old, new, indices, axis=-1):
    """One weight a channel, along an axis; those of new channels stay."""
    is_old = np.flatnonzero(indices >= 0)
    weight = np.moveaxis(np.array(ops.convert_to_numpy(new)), axis, 0)
    weight[is_old] = np.moveaxis(ops.convert_to_numpy(old), axis, 0)[indices[is_old]]
    new.assign(np.moveaxis(weight, 0, axis))
