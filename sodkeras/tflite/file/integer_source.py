"""A network prepared for 8 bits: what files with integer weights are made from."""

import collections
import fnmatch
import re

from sodkeras.errors import SodkerasError

#: A convolution whose weights' rounding is less than this under its signal stays in float, unless told otherwise.
#: U²-Net† has one at -6 dB, the cause of nearly all its error, and one at 16; all others are at 30 or more.
FLOAT_BELOW_DECIBELS = 20
_PICTURES_FOR_NOISE = 4


class IntegerSource:
    """A network in the form for 8 bits, its channels brought to like ranges, its biases corrected.

    Args:
        flat: what `sodkeras.tflite.lower.lower` gave; it is left alone.
        batches: a function of a purpose (for a progress bar) and, if not of all, of a number of pictures, to
            preprocessed pictures `[1, H, W, 3]`, those to calibrate with.
        prelu: "auto" or "exact", see `sodkeras.tflite.passes.prelu`; None where only the weights become integers: the
            graph then keeps its operators.
        keep_float: patterns of layers that stay in float, or None for those whose weights do not fit.
        correct: whether biases are corrected for what rounding the weights does; not where further layers may go into
            float later, whose biases must be their own.

    Attributes:
        model: the flat Keras model.
        prelu: how many PReLUs are computed in which form, by its name.
        float_layers: the layers that stay in float, and by how many decibels their weights' rounding would be under
            their signal, None where that is not why.
    """

    def __init__(self, flat, batches, prelu, keep_float, correct=True):
        from sodkeras.tflite.eight_bits.equalize import equalize
        from sodkeras.tflite.eight_bits.sensitivity import correct_biases, rounding_effects
        from sodkeras.tflite.passes.fold import fold
        from sodkeras.tflite.passes.lower import check_equal, lower_for_integers
        from sodkeras.tflite.passes.prelu import choose_forms, exact_forms

        # Folding what is folded gives its convolutions weights of their own, for what changes them below.
        self.model = fold(flat)
        self.prelu = None
        if prelu:
            forms = exact = exact_forms(flat)
            if forms and prelu == "auto":
                forms = choose_forms(flat, batches("measuring slopes", _PICTURES_FOR_NOISE))
            self.model = lower_for_integers(self.model, forms)
            if forms == exact:
                check_equal(flat, self.model, next(iter(batches(None, 1))))
            self.prelu = dict(sorted(collections.Counter(form.name for form in forms.values()).items()))
        equalize(self.model, batches("measuring channels"))
        # What rounding does hardly depends on the picture: a few tell.
        effects = rounding_effects(self.model, batches("measuring layers", _PICTURES_FOR_NOISE))
        self.float_layers = self._choose_float_layers(effects, keep_float, bool(prelu))
        if correct:
            correct_biases(self.model, {layer: effects[layer] for layer in effects.keys() - self.float_layers.keys()})

    def _choose_float_layers(self, effects, keep_float, integer_activations):
        from sodkeras.tflite.eight_bits.sensitivity import runs_in_float

        def stays(layer):
            if keep_float is not None:
                return any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in keep_float)
            if layer.name in effects and effects[layer.name].decibels < FLOAT_BELOW_DECIBELS:
                return True
            return integer_activations and runs_in_float(layer)

        return {
            layer.name: effects[layer.name].decibels if layer.name in effects else None
            for layer in self.model.layers
            if stays(layer)
        }


class Calibrated:
    """A float `.tflite` whose tensors carry the ranges they take on pictures.

    Args:
        saved_model: the folder of an exported `IntegerSource.model`.
        batches: a function that gives the pictures to calibrate with, preprocessed, `[1, H, W, 3]`.
        ranges: of layers, other ranges than those on the pictures, as `eight_bits.activation_ranges` gives them.
        takes_bytes: whether the input is a picture's bytes: the input's range is then all of 0 … 255, and its integers
            are those bytes (of int8, less 128).
    """

    def __init__(self, saved_model, batches, ranges, takes_bytes):
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([batch] for batch in batches())
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        # What the converter's own debugger does to try one quantization after another.
        converter._experimental_calibrate_only = True
        self._content = _with_ranges(converter.convert(), ranges, (0.0, 255.0) if takes_bytes else None)

    def quantize(self, float_layers, byte_weights, interface):
        """The 8-bit file's bytes.

        Args:
            float_layers: the names of layers that stay in float.
            byte_weights: the names of those whose weights are of 8 bits, see `sodkeras.tflite.file.byte_weights`.
            interface: the type of input and output: "int8", "uint8" or "float32".
        """
        import tensorflow as tf
        from ai_edge_litert.interpreter import Interpreter
        from tensorflow.lite.python.convert import mlir_quantize

        from sodkeras.tflite.file.byte_weights import store_in_bytes

        interpreter = Interpreter(model_content=self._content)
        in_float = set()
        for node in interpreter._get_ops_details():
            tensor = interpreter._get_tensor_details(int(node["outputs"][0]), 0)["name"]
            if node["op_name"] != "DELEGATE" and _layers_of(tensor) & set(float_layers):
                in_float.add(tensor)
        kind = tf.as_dtype(interface)
        content = mlir_quantize(self._content, denylisted_nodes=in_float, input_data_type=kind, output_data_type=kind)
        return store_in_bytes(content, lambda tensor: bool(_layers_of(tensor) & set(byte_weights)))


def convert_dynamic(saved_model, float_layers):
    """The bytes of a file of 8-bit weights and float activations, which takes no pictures; arguments as above."""
    import tensorflow as tf
    from tensorflow.lite.tools import flatbuffer_utils

    def convert(optimizations):
        converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
        converter.optimizations = optimizations
        return converter.convert()

    content = convert([tf.lite.Optimize.DEFAULT])
    if not float_layers:
        return content
    # The converter has no way to leave a layer out: it gets its weights back from the float file.
    model, in_float = map(flatbuffer_utils.convert_bytearray_to_object, (content, convert([])))
    float_operators = {graph.tensors[node.outputs[0]].name: node for graph, node in _operators(in_float)}
    for graph, node in _operators(model):
        name = graph.tensors[node.outputs[0]].name
        if _layers_of(name.decode()) & set(float_layers) and len(node.inputs) > 1:
            own = graph.tensors[node.inputs[1]]
            other = in_float.subgraphs[0].tensors[float_operators[name].inputs[1]]
            # Several operators may share a tensor, so the values go into a buffer of their own.
            own.type, own.quantization, own.buffer = other.type, other.quantization, len(model.buffers)
            model.buffers.append(in_float.buffers[other.buffer])
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _operators(model):
    return [(graph, node) for graph in model.subgraphs for node in graph.operators]


def _layers_of(tensor):
    """The layers that an operator was made of: a tensor's name is "net/conv_1/Squeeze;net/relu_1/Relu;…"."""
    return {re.sub(r"_\d+$", "", part) for name in tensor.split(";") for part in name.split("/")}


def convert_16(saved_model, batches, interface):
    """The bytes of a file of 8-bit weights and 16-bit activations; arguments as above."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([batch] for batch in batches())
    # Operators that have no 16-bit form stay in float.
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
        tf.lite.OpsSet.TFLITE_BUILTINS,
    ]
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(interface)
    return converter.convert()


def _with_ranges(content, ranges, input_range):
    """The file with other ranges: of layers' results, but not of the file's output, and of its input."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(content)
    graph = model.subgraphs[0]
    of_input = graph.tensors[graph.inputs[0]].quantization
    if of_input is None or of_input.min is None:
        raise SodkerasError("The converter left the input without a range. Received: TensorFlow of another version")
    order = {name: index for index, name in enumerate(ranges)}
    for index, tensor in enumerate(graph.tensors):
        if tensor.quantization is None or tensor.quantization.min is None:
            continue
        # An operator that several layers were made into gives what the last of them gives.
        layers = sorted(_layers_of(tensor.name.decode()) & order.keys(), key=order.get)
        chosen = ranges[layers[-1]] if layers and index not in graph.outputs else None
        if index in graph.inputs:
            chosen = input_range
        if chosen is not None:
            tensor.quantization.min, tensor.quantization.max = ([float(end)] for end in chosen)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
