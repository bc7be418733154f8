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


def tap(model, tensors):
    """A function from a batch to the values that tensors inside a functional graph take.

    Args:
        model: a functional Keras model with one input.
        tensors: tensors of it, in lists and dicts as one likes.

    Returns:
        A function of a batch, an array; it gives arrays in the same lists and dicts.
    """
    if not keras.tree.flatten(tensors):
        return lambda batch: tensors
    taps = keras.Model(model.inputs, tensors)
    # Compiled, a network of hundreds of small layers runs many times faster than layer by layer; with XLA, which Keras
    # takes where nothing is said, TensorFlow would compile for a minute, and again for the last batch, a smaller one.
    taps.compile(jit_compile=keras.backend.backend() == "jax")
    return lambda batch: keras.tree.pack_sequence_as(tensors, keras.tree.flatten(taps.predict_on_batch(batch)))
