"""Concatenations in the form that XNNPACK takes."""

import keras

from sodkeras.graph import Graph, rewrite

#: XNNPACK takes a concatenation of this many inputs at the most; a wider one would split the graph in two.
_MOST_INPUTS = 4


def regroup_concatenations(model: keras.Model) -> keras.Model:
    """Makes wide concatenations of narrow ones; exact.

    Args:
        model: a flat functional Keras model.

    Returns:
        A flat model.
    """

    def replace(call, inputs):
        layer, level = call.layer, 0
        if not isinstance(layer, keras.layers.Concatenate) or len(inputs) <= _MOST_INPUTS:
            return None
        while len(inputs) > _MOST_INPUTS:
            groups = [inputs[start : start + _MOST_INPUTS] for start in range(0, len(inputs), _MOST_INPUTS)]
            inputs = [
                keras.layers.Concatenate(axis=layer.axis, name=f"{layer.name}_group{level}_{index}")(group)
                if len(group) > 1
                else group[0]
                for index, group in enumerate(groups)
            ]
            level += 1
        return layer(inputs)

    return rewrite(model, replace)


def activate_before_concatenating(model: keras.Model) -> keras.Model:
    """Moves a ReLU behind a concatenation in front of it, where it is part of each branch's convolution; exact.

    In 8 bits a RELU by itself runs outside XNNPACK.

    Args:
        model: a flat functional Keras model.

    Returns:
        A flat model.
    """
    while (moved := _move_activations(model)) is not model:
        model = moved  # a concatenation of concatenations takes a round for each level
    return model


def _move_activations(model):
    graph, branches = Graph(model), {}

    def replace(call, inputs):
        layer = call.layer
        if isinstance(layer, keras.layers.Concatenate):
            branches[id(call.output)] = inputs
        if isinstance(layer, keras.layers.ReLU):
            before = call.inputs[0]
            if id(before) in branches and graph.uses(before) == 1:
                config = layer.get_config()
                activated = [
                    keras.layers.ReLU.from_config(config | {"name": f"{layer.name}_branch{index}"})(branch)
                    for index, branch in enumerate(branches[id(before)])
                ]
                return graph.maker(before).layer(activated)
        return None

    return rewrite(model, replace)
