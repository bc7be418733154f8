"""A network as one graph of plain Keras layers."""

import keras


def flatten(model, input_shape=None):
    """The same function as a functional graph without composite layers; the weights are shared.

    A composite layer (one that holds other layers) is replaced by what its `call` does. Lowering for phones,
    quantization-aware training and profiling work on this graph.

    Args:
        model: a functional Keras model with one input.
        input_shape: `(H, W, C)` of the flat model; default the model's own.

    Returns:
        A functional `keras.Model` with the model's output structure.
    """
    flat = model
    while flat is model or any(_parts(layer) for layer in flat.layers):
        inputs = keras.Input(tuple(input_shape or model.input_shape[1:]), name=model.inputs[0].name)
        # On symbolic tensors a composite's `call` runs its parts, which record themselves: one level a pass.
        outputs = flat._run_through_graph(inputs, operation_fn=lambda layer: layer.call if _parts(layer) else layer)
        flat = keras.Model(inputs, outputs, name=f"{model.name}_flat")
    return flat


def _parts(layer):
    return getattr(layer, "_layers", None)


def calls(model):
    """The layer calls of a functional graph, in running order, without those that the layers had in other graphs.

    Returns:
        A list of `(layer, input tensors, output tensor)`, for layers with one output.
    """
    by_depth = model._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    return [(node.operation, node.input_tensors, node.outputs[0]) for node in nodes if not node.is_input]
