"""Which weights plain weight decay acts on beside dynamic weight decay."""

import keras

from sodkeras.callbacks.dynamic_weight_decay import block_units


def exempt_gammas(model, double_decay=False):
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


def set_weight_decay(model, rate=5e-3, exempt=()):
    """Gives every trainable weight coupled L2 decay: `rate · w` is added to its gradient, before the optimiser.

    This is PyTorch's `weight_decay` of Adam and SGD, on convolutions, batch norm and slopes alike (the recipe);
    Keras's own `weight_decay` argument is the decoupled one of AdamW. It is a loss term ½ · rate · Σw², hence part of
    the reported losses. It is not saved with the model.

    Args:
        model: any network; call it before `fit`.
        rate: 5e-3 in the papers; 0 takes the decay away.
        exempt: variables to leave alone, such as `exempt_gammas(model)`.
    """
    spared = {id(variable) for variable in exempt}
    for variable in model.trainable_variables:
        wanted = rate and id(variable) not in spared
        variable.regularizer = keras.regularizers.L2(rate / 2) if wanted else None
    # A step that was traced before knows nothing of this.
    model.train_function = model.test_function = None
