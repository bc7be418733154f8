"""Which weights plain weight decay acts on beside dynamic weight decay."""

import keras

from sodkeras.callbacks.dynamic_weight_decay import block_units


def exempt_gammas(model: keras.Model, double_decay: bool = False) -> list[keras.Variable]:
    """The γ of a `CSNet` that plain weight decay leaves to dynamic weight decay.

    Args:
        model: a `CSNet`.
        double_decay: True leaves out the second 3×3 unit of each block, whose γ the released code decays both ways (its
            filter names the first unit twice).

    Returns:
        A list of variables: 99 of CSNet ×1, or 66 with double decay.
    """
    second = {
        id(norm) for layer in model.layers if layer.name.startswith("stage") for norm in layer.unit2.norms.values()
    }
    return [norm.gamma for norm, _ in block_units(model) if not (double_decay and id(norm) in second)]
