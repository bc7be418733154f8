"""CSF+Res2Net's released weights: the state dict's names."""

from sodkeras.checkpoints.backbone_names import torchvision_units
from sodkeras.checkpoints.state_dict import StateDict
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
    state.fill_octave(unit.convs, f"{name}.conv.weights")
    for j, (norm, activation) in enumerate(zip(unit.norms, unit.activations, strict=True)):
        state.fill_norm(norm, f"{name}.bns.{j}")
        state.fill(activation.alpha, f"{name}.prelus.{j}.weight")


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
