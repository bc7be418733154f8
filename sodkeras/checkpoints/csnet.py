"""CSNet's released weights: the state dict's names, and the channels that its shapes tell."""

import itertools

import numpy as np

from sodkeras.errors import SodkerasError
from sodkeras.models.channel_plan import BLOCKS
from sodkeras.models.csnet import CSNet

#: The units of an `ILBlock` by their released names. "conv1x1" is the name even where the kernel is 3×3.
_UNITS = {"conv1x1": "mix", "conv3x3_1": "unit1", "conv3x3_2": "unit2"}


def plan_of(arrays, dilation_rates=(1, 2, 4, 8, 16)):
    """The channel plan of the network that a released state dict is from, read off its shapes.

    Args:
        arrays: names such as `stage0.0.conv1x1.bns.0.weight` to arrays.
        dilation_rates: of the fusion's parallel convolutions, which no shape tells.

    Returns:
        A plan as described in `sodkeras.models.channel_plan`.

    Raises:
        SodkerasError: if the names are not those of a CSNet.
    """

    def by_index(pattern):
        """Lengths of the arrays `pattern % 0`, `pattern % 1`, … up to the last there is; 0 for one left out."""
        found = {index: len(arrays[pattern % index]) for index in range(8) if pattern % index in arrays}
        return [found.get(index, 0) for index in range(max(found) + 1)] if found else []

    def blocks(stage):
        rows = (by_index(f"stage{stage}.{number}.conv1x1.bns.%d.weight") for number in itertools.count())
        return list(itertools.takewhile(bool, rows))

    stages = [blocks(stage) for stage in range(len(BLOCKS))]
    if not all(stages):
        raise SodkerasError(f"The state dict is not that of a CSNet. Received: the names {sorted(arrays)[:3]} …")
    fusion = None
    mixed = by_index("oct_fuse.fuse.bns.%d.weight")
    if mixed:
        dilated = [by_index(f"oct_fuse.ms.convs.{scale}.msconv.%d.weight") for scale in range(len(mixed))]
        fusion = {
            "stages": list(range(len(BLOCKS) - len(mixed), len(BLOCKS))),
            "mixed": mixed,
            "dilation_rates": list(dilation_rates),
            "dilated": [row + [0] * (len(dilation_rates) - len(row)) for row in dilated],
            "filters": sum(by_index("oct_fuse.fuse1x1.bns.%d.weight")),
        }
    return {"stages": stages, "fusion": fusion}


def load_state_dict(model, arrays):
    """Fills a `CSNet` from a state dict of the released PyTorch code.

    Args:
        model: a `CSNet` with simplified units and PReLU.
        arrays: names such as `stage0.0.conv1x1.conv.weight` to arrays in PyTorch's layout.

    Raises:
        SodkerasError: if a name is missing or left over, or a shape differs.
    """
    if not model.simplified or model.activation != "prelu":
        raise SodkerasError(
            "The released weights are of a CSNet with simplified=True and activation='prelu'. Received: "
            f"simplified={model.simplified}, activation={model.activation!r}"
        )
    reader = _Reader(arrays)
    for stage, blocks in enumerate(model.channels["stages"]):
        for number in range(len(blocks)):
            block = model.get_layer(f"stage{stage}_{number}")
            for released, ours in _UNITS.items():
                reader.fill_unit(getattr(block, ours), f"stage{stage}.{number}.{released}")
    if model.channels["fusion"]:
        fusion = model.get_layer("fusion")
        reader.fill_unit(fusion.mix, "oct_fuse.fuse")
        for scale, dilated in zip(fusion.mix.output_scales, fusion.dilated, strict=True):
            name = f"oct_fuse.ms.convs.{scale}"
            for index, rate in enumerate(dilated.dilation_rates):
                if str(rate) in dilated.convs:
                    reader.fill_kernel(dilated.convs[str(rate)].kernel, f"{name}.msconv.{index}.weight")
            reader.fill_norm(dilated.norm, f"{name}.bn")
            reader.fill(dilated.activation_layer.alpha, f"{name}.prelu.weight")
        reader.fill_unit(fusion.merge, "oct_fuse.fuse1x1")
    classifier = model.get_layer("classifier")
    reader.fill_kernel(classifier.kernel, "cls_layer.weight")
    reader.fill(classifier.bias, "cls_layer.bias")
    reader.finish()


def from_state_dict(arrays, **arguments):
    """Builds the CSNet whose shapes a released state dict has, and fills it.

    Args:
        arrays: see `load_state_dict`.
        **arguments: further arguments of `CSNet`, such as `preprocessing`; `plan` if it is to be checked, too.

    Raises:
        SodkerasError: if the state dict is of no CSNet, or does not fit the plan.
    """
    model = CSNet(**{"plan": plan_of(arrays)} | arguments)
    load_state_dict(model, arrays)
    return model


class _Reader:
    """Takes arrays out of a state dict one by one, so that at the end none may be left."""

    def __init__(self, arrays):
        self._rest = dict(arrays)

    def take(self, name):
        if name not in self._rest:
            raise SodkerasError(f"The state dict is not that of this CSNet. Received: no {name!r}")
        return self._rest.pop(name)

    def fill(self, variable, name, value=None):
        value = self.take(name) if value is None else value
        # A slope or a bias is stored flat.
        if value.ndim == 1 and value.size == variable.shape[-1]:
            value = value.reshape(variable.shape)
        if tuple(variable.shape) != value.shape:
            raise SodkerasError(
                f"The checkpoint does not fit this CSNet: {name} should be {tuple(variable.shape)}. "
                f"Received: {value.shape}"
            )
        variable.assign(value)

    def fill_kernel(self, variable, name):
        self.fill(variable, name, self.take(name).transpose(2, 3, 1, 0))

    def fill_norm(self, norm, name):
        self.fill(norm.gamma, f"{name}.weight")
        self.fill(norm.beta, f"{name}.bias")
        self.fill(norm.moving_mean, f"{name}.running_mean")
        self.fill(norm.moving_variance, f"{name}.running_var")
        self._rest.pop(f"{name}.num_batches_tracked", None)

    def fill_unit(self, unit, name):
        if unit.depthwise:
            for scale in unit.output_scales:
                kernel = self.take(f"{name}.convs.{scale}.weight").transpose(2, 3, 0, 1)
                self.fill(unit.convs[f"{scale}to{scale}"].kernel, f"{name}.convs.{scale}.weight", kernel)
        else:
            self._fill_paths(unit, f"{name}.conv.weight")
        for scale in unit.output_scales:
            self.fill_norm(unit.norms[str(scale)], f"{name}.bns.{scale}")
            self.fill(unit.activations[str(scale)].alpha, f"{name}.prelus.{scale}.weight")

    def _fill_paths(self, unit, name):
        """One stored kernel for all scales: rows by output scale, columns by input scale."""
        whole = self.take(name)
        inputs = {int(path.split("to")[0]): conv.kernel.shape[2] for path, conv in unit.convs.items()}
        columns = dict(zip(sorted(inputs), _parts(whole, 1, [inputs[i] for i in sorted(inputs)], name), strict=True))
        for i, column in columns.items():
            rows = _parts(column, 0, [unit.filters[j] for j in unit.output_scales], name)
            for j, kernel in zip(unit.output_scales, rows, strict=True):
                self.fill(unit.convs[f"{i}to{j}"].kernel, name, kernel.transpose(2, 3, 1, 0))

    def finish(self):
        if self._rest:
            raise SodkerasError(f"The state dict has names that this CSNet lacks. Received: {sorted(self._rest)[:3]} …")


def _parts(array, axis, counts, name):
    if array.shape[axis] != sum(counts):
        raise SodkerasError(
            f"The checkpoint does not fit this CSNet: axis {axis} of {name} should be {sum(counts)}. "
            f"Received: {array.shape}"
        )
    return np.split(array, np.cumsum(counts)[:-1], axis)
