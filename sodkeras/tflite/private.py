"""What TensorFlow, LiteRT and tensorflow-model-optimization keep private, or leave undocumented: the only file with it.

Each entry has its reason, the public way that was tried, and when it can go; `tests/tflite/test_private.py` fails where
a release changes one. Imports are inside functions: `operators` serves boards that have LiteRT and no TensorFlow.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np


def operators(interpreter: Any) -> list[dict]:
    """The operators of an interpreter whose tensors are allocated, a delegate's own among them.

    Each is a dict of its "index", "op_name", "inputs" and "outputs", indices of tensors. LiteRT's analyser prints such
    a list as text, of the file alone, without what a delegate took. Can go when the interpreter has a public list.
    """
    return interpreter._get_ops_details()


def tensor_name(interpreter: Any, index: int) -> str:
    """The name of a tensor. `get_tensor_details` leaves out those inside a delegate, and takes as long for one as for
    all. Can go with `operators`."""
    return interpreter._get_tensor_details(index, 0)["name"]


def as_constants(function: Any) -> Any:
    """A concrete function whose variables are constants.

    The converter freezes as well, but only after TensorFlow has written and read hundreds of variables, which takes
    longer than the rest. Can go when `tf.saved_model.save` is as quick with variables.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function)


def sum_in_half_precision(converter: Any) -> None:
    """Says in a file that sums may be of 16 bits, without which XNNPACK does not compute in half precision.

    There is no public setting. Can go when `target_spec` has one.
    """
    import tensorflow as tf

    converter.target_spec._experimental_supported_accumulation_type = tf.float16


def calibrate(saved_model: str, batches: Callable[[], Iterable[np.ndarray]]) -> bytes:
    """A float `.tflite` whose tensors carry the ranges that they take on pictures, before anything is quantized.

    The public converter calibrates and quantizes in one step, which leaves no place to choose ranges. This is what its
    own debugger does to try one quantization after another. Can go when ai-edge-quantizer gives files that XNNPACK
    takes in one partition.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([batch] for batch in batches())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_calibrate_only = True
    return converter.convert()


def quantize(content: bytes, in_float: Sequence[str], interface: str) -> bytes:
    """An 8-bit file of what `calibrate` gave, but for the operators that give the named tensors; see there."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    kind = tf.as_dtype(interface)
    return mlir_quantize(content, denylisted_nodes=set(in_float), input_data_type=kind, output_data_type=kind)


def parse(content: bytes) -> Any:
    """A `.tflite` file as objects of the schema's classes, a `ModelT`.

    `ai_edge_litert.schema_py_generated` has the same classes in public, but reads strings and vectors otherwise than
    the writer in `sodkeras.tflite.file.compact` wants them. Can go when that is written for LiteRT's classes.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    return flatbuffer_utils.convert_bytearray_to_object(content)


def pack(model: Any) -> bytes:
    """The bytes of what `parse` gave, as TensorFlow writes them."""
    from tensorflow.lite.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def schema() -> Any:
    """The module of the classes of `parse`."""
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


def output_range(wrapper: Any) -> dict[str, Any]:
    """The variables between which a layer's output is rounded, of a layer that tfmot has wrapped for quantization.

    tfmot gives no other way to them. Can go with tfmot.
    """
    return wrapper._output_quantizer_vars
