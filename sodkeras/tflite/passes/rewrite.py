"""Graph-to-graph steps on flat networks."""

import keras


def rewrite(model, replace):
    """A functional model with some calls replaced.

    Args:
        model: a flat functional Keras model with one input (see `sodkeras.flatten`).
        replace: a function of `(layer, inputs, output)`: a layer, the new model's tensors that it is called on, and the
            old model's tensor that it made. It returns the new model's tensor for it, or None to call the same layer.

    Returns:
        A functional Keras model with the input and output structure of the old one, or the old one if nothing was
        replaced. Layers that were kept share their weights with it; calls whose result nothing uses any more are gone.
    """
    tensors = {id(tensor): tensor for tensor in model.inputs}
    for node in nodes(model):
        before = [tensors[id(tensor)] for tensor in node.input_tensors]
        after = replace(node.operation, before, node.outputs[0])
        if after is None and all(new is old for new, old in zip(before, node.input_tensors, strict=True)):
            after = node.outputs  # nothing in front of it has changed
        elif after is None:
            arguments, keywords = node.arguments.fill_in(tensors)
            after = node.operation(*arguments, **keywords)
        made = zip(node.outputs, keras.tree.flatten(after), strict=True)
        tensors |= {id(old): new for old, new in made}
    outputs = keras.tree.map_structure(lambda tensor: tensors[id(tensor)], model.output)
    if all(new is old for new, old in zip(keras.tree.flatten(outputs), model.outputs, strict=True)):
        return model
    return keras.Model(model.input, outputs, name=model.name)


def nodes(model):
    """The calls of a functional graph as Keras nodes, in running order."""
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


def count_uses(model):
    """How often each tensor of a functional graph is used, by its id; as an output, too."""
    uses = {}
    for tensor in [*model.outputs, *(tensor for node in nodes(model) for tensor in node.input_tensors)]:
        uses[id(tensor)] = uses.get(id(tensor), 0) + 1
    return uses


def convolution_like(layer, inputs, kernel, bias, **changes):
    """Calls a plain convolution with a layer's settings and other weights.

    Args:
        layer: a `Conv2D` or `DepthwiseConv2D`, or a subclass, whose own weights are left alone.
        inputs: the tensor to call it on.
        kernel, bias: the new layer's weights as arrays.
        **changes: further entries of its config.

    Returns:
        The new layer's output.
    """
    plain = keras.layers.DepthwiseConv2D if isinstance(layer, keras.layers.DepthwiseConv2D) else keras.layers.Conv2D
    config = layer.get_config() | {"use_bias": True} | changes
    config.pop("kernel_scale", None)
    if plain is keras.layers.Conv2D:
        config["filters"] = kernel.shape[-1]
    convolution = plain.from_config(config)
    outputs = convolution(inputs)
    convolution.set_weights([kernel, bias])
    return outputs


def depthwise(inputs, kernel, bias=None, name=None, **settings):
    """Calls a new depthwise convolution with a constant kernel.

    Args:
        inputs: `[B, H, W, C]`.
        kernel: `[h, w, C]`.
        bias: `[C]`; default none.
        name: the layer's name.
        **settings: of `keras.layers.DepthwiseConv2D`, such as `strides` or `activation`.

    Returns:
        Its output.
    """
    layer = keras.layers.DepthwiseConv2D(kernel.shape[:2], use_bias=bias is not None, name=name, **settings)
    outputs = layer(inputs)
    layer.set_weights([kernel[..., None]] + ([] if bias is None else [bias]))
    return outputs
