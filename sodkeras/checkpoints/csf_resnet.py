"""CSF+Res2Net's released weights: the state dict's names."""

import numpy as np

from sodkeras.checkpoints.backbone_names import torchvision_units
from sodkeras.checkpoints.state_dict import StateDict
from sodkeras.errors import SodkerasError
from sodkeras.models.csf_resnet import CSFResNet

#: The released file still holds the classifier that the backbone was trained with.
_UNUSED = ("base.fc.",)


def load_state_dict(model, arrays):
    """Fills a `CSFResNet` from a state dict of the released PyTorch code.

    Args:
        model: a `CSFResNet`; the released weights are of backbone "res2net".
        arrays: names such as `base.conv1.0.weight` to arrays in PyTorch's layout.

    Raises:
        SodkerasError: if a name is missing or left over, or a shape differs.
    """
    state = StateDict(arrays, "this CSFResNet")
    for unit, conv, norm in torchvision_units(model, model.backbone):
        state.fill_unit(unit, f"base.{conv}", f"base.{norm}")
    fill_head(state, model.get_layer("fusion"))
    state.fill_conv(model.get_layer("classifier"), "cls_layer")
    state.finish(ignore=_UNUSED)


def fill_head(state, fusion):
    """Fills a `ResizedCrossStageFusion` from a `StateDict`."""
    _fill_octave(state, fusion.mix, "fuse")
    for scale, dilated in enumerate(fusion.dilated):
        name = f"ms.convs.{scale}"
        for index, conv in enumerate(dilated.convs.values()):
            state.fill_conv(conv, f"{name}.msconv.{index}")
        state.fill_norm(dilated.norm, f"{name}.bn")
        state.fill(dilated.activation_layer.alpha, f"{name}.prelu.weight")
    _fill_octave(state, fusion.merge, "fuse1x1")


def _fill_octave(state, unit, name):
    """One stored kernel for all scales: rows by output scale, columns by input scale."""
    whole = state.take(f"{name}.conv.weights")
    inputs = [unit.convs[f"{i}to0"].kernel.shape[2] for i in range(len(unit.convs) // len(unit.filters))]
    if whole.shape != (sum(unit.filters), sum(inputs), 1, 1):
        raise SodkerasError(
            f"The checkpoint does not fit {state.network}: {name}.conv.weights should be "
            f"{(sum(unit.filters), sum(inputs), 1, 1)}. Received: {whole.shape}"
        )
    for j, rows in enumerate(np.split(whole, np.cumsum(unit.filters)[:-1], axis=0)):
        for i, kernel in enumerate(np.split(rows, np.cumsum(inputs)[:-1], axis=1)):
            state.assign(unit.convs[f"{i}to{j}"].kernel, kernel.transpose(2, 3, 1, 0), f"{name}.conv.weights")
        state.fill_norm(unit.norms[j], f"{name}.bns.{j}")
        state.fill(unit.activations[j].alpha, f"{name}.prelus.{j}.weight")


def from_state_dict(arrays, **arguments):
    """Builds the CSFResNet of a released state dict, and fills it.

    Args:
        arrays: see `load_state_dict`.
        **arguments: further arguments of `CSFResNet`, such as `preprocessing`.

    Raises:
        SodkerasError: if the state dict is of no released CSF+Res2Net.
    """
    model = CSFResNet(**arguments)
    load_state_dict(model, arrays)
    return model
