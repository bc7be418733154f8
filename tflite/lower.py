"""A network in a form that LiteRT runs well: the same function, other layers."""

import keras

from sodkeras.flatten import flatten

#: XNNPACK takes a concatenation of this many inputs at the most; a wider one would split the graph in two.
_MOST_INPUTS = 4


def lower(model):
    """Flattens a network at its preprocessing's size and regroups concatenations; exact.

    Args:
        model: an `InferenceModel`.

    Returns:
        A functional Keras model that shares the weights.
    """
    flat = flatten(model, (*model.preprocessing.size, 3))

    def replaced(layer):
        return _grouped(layer) if isinstance(layer, keras.layers.Concatenate) else layer

    inputs = keras.Input(flat.input_shape[1:], name=flat.inputs[0].name)
    return keras.Model(inputs, flat._run_through_graph(inputs, operation_fn=replaced), name=flat.name)


def _grouped(layer):
    def concatenate(tensors):
        level = 0
        while len(tensors) > _MOST_INPUTS:
            groups = [tensors[start : start + _MOST_INPUTS] for start in range(0, len(tensors), _MOST_INPUTS)]
            tensors = [
                keras.layers.Concatenate(axis=layer.axis, name=f"{layer.name}_group{level}_{index}")(group)
                if len(group) > 1
                else group[0]
                for index, group in enumerate(groups)
            ]
            level += 1
        return layer(tensors)

    return concatenate
