"""CII's released weights: the state dict's names."""

from sodkeras.checkpoints.backbone_names import torchvision_units
from sodkeras.checkpoints.state_dict import StateDict
from sodkeras.errors import SodkerasError
from sodkeras.models.cii import CII


def load_state_dict(model, arrays):
    """Fills a `CII` from a state dict of the released PyTorch code.

    Args:
        model: a `CII` with the released interactor, RGC†.
        arrays: names such as `base.resnet.conv1.weight` to arrays in PyTorch's layout.

    Raises:
        SodkerasError: if a name is missing or left over, or a shape differs.
    """
    if (model.interactor, model.next_stage, model.shared) != ("rgc", True, True):
        raise SodkerasError(
            "The released weights are of a CII with interactor='rgc', next_stage=True and shared=True. Received: "
            f"{model.interactor!r}, {model.next_stage}, {model.shared}"
        )
    state = StateDict(arrays, "this CII")
    for unit, conv, norm in torchvision_units(model, model.backbone):
        state.fill_unit(unit, f"base.resnet.{conv}", f"base.resnet.{norm}")
    interaction = model.get_layer("interaction")
    for level, unit in enumerate(interaction.reductions):
        state.fill_unit(unit, f"base.rgc_pre.{level}.0", f"base.rgc_pre.{level}.1")
    state.fill_unit(interaction.down, "base.down.0", "base.down.1")
    rgc = interaction.interactors[0]
    for number, convs in enumerate((rgc.local, rgc.relative, rgc.output_convs), start=1):
        for index, unit in enumerate(convs.units):
            name = f"base.RGC.basic{number}.conv1"
            state.fill_unit(unit, f"{name}.{3 * index}", f"{name}.{3 * index + 1}")
    # The last step of the way up has no mixing convolution, and only ResNet-50 has the block on top.
    for ours, released in {"top": "", **{f"topdown{step}": f"topdown.{step}." for step in range(5)}}.items():
        for part, name in (("conv", "conv"), ("conv_sum", "conv_sum"), ("mix", "conv_sum_c")):
            unit = next((layer for layer in model.layers if layer.name == f"{ours}_{part}"), None)
            if unit is not None:
                state.fill_unit(unit, f"{released}{name}.0", f"{released}{name}.1")
    state.fill_conv(model.get_layer("score"), "score.score")
    state.finish()


def from_state_dict(arrays, **arguments):
    """Builds the CII whose backbone a released state dict has, and fills it.

    Args:
        arrays: see `load_state_dict`.
        **arguments: further arguments of `CII`, such as `preprocessing`.

    Raises:
        SodkerasError: if the state dict is of no released CII.
    """
    depth = 50 if "base.resnet.layer1.0.conv3.weight" in arrays else 18
    model = CII(**{"depth": depth} | arguments)
    load_state_dict(model, arrays)
    return model
