"""CSNet's released weights: the state dict's names, and the channels that its shapes tell."""

import itertools

from sodkeras.checkpoints.state_dict import StateDict
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
    state = StateDict(arrays, "this CSNet")
    for stage, blocks in enumerate(model.channels["stages"]):
        for number in range(len(blocks)):
            block = model.get_layer(f"stage{stage}_{number}")
            for released, ours in _UNITS.items():
                _fill_unit(state, getattr(block, ours), f"stage{stage}.{number}.{released}")
    if model.channels["fusion"]:
        fusion = model.get_layer("fusion")
        _fill_unit(state, fusion.mix, "oct_fuse.fuse")
        for scale, dilated in zip(fusion.mix.output_scales, fusion.dilated, strict=True):
            name = f"oct_fuse.ms.convs.{scale}"
            for index, rate in enumerate(dilated.dilation_rates):
                if str(rate) in dilated.convs:
                    state.fill_conv(dilated.convs[str(rate)], f"{name}.msconv.{index}")
            state.fill_norm(dilated.norm, f"{name}.bn")
            state.fill(dilated.activation_layer.alpha, f"{name}.prelu.weight")
        _fill_unit(state, fusion.merge, "oct_fuse.fuse1x1")
    state.fill_conv(model.get_layer("classifier"), "cls_layer")
    state.finish()


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


def _fill_unit(state, unit, name):
    if unit.depthwise:
        for scale in unit.output_scales:
            state.fill_conv(unit.convs[f"{scale}to{scale}"], f"{name}.convs.{scale}")
    else:
        state.fill_octave(unit.convs, f"{name}.conv.weight")
    for scale in unit.output_scales:
        state.fill_norm(unit.norms[str(scale)], f"{name}.bns.{scale}")
        state.fill(unit.activations[str(scale)].alpha, f"{name}.prelus.{scale}.weight")
