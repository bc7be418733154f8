"""U²-Net's released weights: the state dict's names, and the ONNX export's order."""

import numpy as np

from sodkeras.checkpoints.state_dict import StateDict
from sodkeras.errors import SodkerasError
from sodkeras.layers import ConvUnit
from sodkeras.models.u2net import VARIANTS, U2Net

#: The released code's names of the variants, which the presets share.
_NAMES = {"full": "u2net", "small": "u2netp"}


def _units(model):
    """Every convolution in the order the network runs it: `(state-dict prefix, ConvUnit or Conv2D)`."""
    rows = len(model.get_layer("fusion_concat").input)
    for stage, prefix in [(f"encoder{level}", f"stage{level}") for level in range(1, rows + 1)] + [
        (f"decoder{level}", f"stage{level}d") for level in range(rows - 1, 0, -1)
    ]:
        block = model.get_layer(stage)
        yield f"{prefix}.rebnconvin", block.input_unit
        for level, unit in enumerate(block.encoder_units, start=1):
            yield f"{prefix}.rebnconv{level}", unit
        for level, unit in zip(range(block.height - 1, 0, -1), block.decoder_units, strict=True):
            yield f"{prefix}.rebnconv{level}d", unit
    for level in range(1, rows + 1):
        yield f"side{level}", model.get_layer(f"side{level}_conv")
    yield "outconv", model.get_layer("fusion_conv")


def _assign(variable, value, name):
    if tuple(variable.shape) != value.shape:
        raise SodkerasError(
            f"The checkpoint does not fit this U2Net: {name} should be {tuple(variable.shape)}. Received: {value.shape}"
        )
    variable.assign(value)


def load_state_dict(model, arrays):
    """Fills a `U2Net` from a state dict of the released PyTorch code.

    Args:
        model: a `U2Net`.
        arrays: names such as `stage1.rebnconvin.conv_s1.weight` to arrays in PyTorch's layout.

    Raises:
        SodkerasError: if a name is missing or left over, or a shape differs.
    """
    state = StateDict(arrays, "this U2Net")
    for prefix, unit in _units(model):
        if isinstance(unit, ConvUnit):
            state.fill_conv(unit.conv, f"{prefix}.conv_s1")
            state.fill_norm(unit.batch_norm, f"{prefix}.bn_s1")
        else:
            state.fill_conv(unit, prefix)
    state.finish()


def load_convolutions(model, convolutions):
    """Fills a `U2Net` from convolutions in running order, into which batch norm was folded.

    Batch norm becomes the identity: mean 0, variance and scale such that it passes values unchanged. The network is
    exact for inference; before it is trained, `sodkeras.checkpoints.batch_norm.restore_statistics` must give batch
    norm its statistics back.

    Args:
        model: a `U2Net`.
        convolutions: what `onnx_file.read_convolutions` returns.

    Raises:
        SodkerasError: if the number of convolutions or a shape differs.
    """
    units = list(_units(model))
    if len(units) != len(convolutions):
        raise SodkerasError(f"This U2Net has {len(units)} convolutions. Received: {len(convolutions)}")
    for (name, unit), (kernel, bias) in zip(units, convolutions, strict=True):
        conv = unit.conv if isinstance(unit, ConvUnit) else unit
        _assign(conv.kernel, kernel, name)
        _assign(conv.bias, np.zeros(kernel.shape[-1], np.float32) if bias is None else bias, name)
        if isinstance(unit, ConvUnit):
            norm = unit.batch_norm
            ones = np.ones(norm.gamma.shape, np.float32)
            norm.set_weights([ones, 0 * ones, 0 * ones, ones - np.float32(norm.epsilon)])


def from_convolutions(convolutions, **arguments):
    """Builds the paper's variant whose shapes the convolutions have, and fills it.

    Args:
        convolutions: what `onnx_file.read_convolutions` returns.
        **arguments: further arguments of `U2Net`, such as `preprocessing`.

    Raises:
        SodkerasError: if no variant fits.
    """
    # The second convolution of a network goes from a block's output channels to those inside it.
    model = _variant(convolutions[1][0].shape[-1] if len(convolutions) > 1 else None, arguments)
    load_convolutions(model, convolutions)
    return model


def from_state_dict(arrays, **arguments):
    """Builds the paper's variant whose shapes a released state dict has, and fills it; as `from_convolutions`."""
    kernel = arrays.get("stage1.rebnconv1.conv_s1.weight")
    model = _variant(None if kernel is None else kernel.shape[0], arguments)
    load_state_dict(model, arrays)
    return model


def _variant(mid_filters, arguments):
    variants = {rows["encoder"][0][1]: name for name, rows in VARIANTS.items()}
    if mid_filters not in variants:
        raise SodkerasError(
            "The file's weights are those of no released U²-Net: the first block would have "
            f"{' or '.join(map(str, variants))} channels inside. Received: {mid_filters}"
        )
    return U2Net(variants[mid_filters], **{"name": _NAMES[variants[mid_filters]]} | arguments)
