"""A `.tflite` file as objects: parsed once, changed, and written once."""

import json
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from sodkeras.lite_metadata import METADATA_NAME
from sodkeras.tflite import private
from sodkeras.tflite.file.compact import compact


class LiteFile:
    """A `.tflite` file with one graph.

    Args:
        content: the file's bytes.

    Attributes:
        model: a `ModelT` of the schema, which is changed in place.
    """

    def __init__(self, content: bytes) -> None:
        self.model = private.parse(content)

    @property
    def graph(self) -> Any:
        """The `SubGraphT`."""
        return self.model.subgraphs[0]

    def made_by(self, operator: Any) -> str:
        """The name of the tensor that an operator gives."""
        return self.graph.tensors[operator.outputs[0]].name.decode()

    def operators_of(self, layers: Iterable[str]) -> list[Any]:
        """The operators that layers were made into."""
        wanted = set(layers)
        return [operator for operator in self.graph.operators if layers_of(self.made_by(operator)) & wanted]

    def constant(self, index: int) -> np.ndarray | None:
        """A tensor's bytes in the file; None where it is computed."""
        return self.model.buffers[self.graph.tensors[index].buffer].data

    def add_buffer(self, data: np.ndarray | None) -> int:
        """Stores bytes; returns the index of the buffer."""
        buffer = private.schema().BufferT()
        buffer.data = data
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def to_bytes(self, metadata: dict | None = None) -> bytes:
        """The file, as small as it can be, with this project's JSON as an entry of its metadata.

        This is the last step: the tensors' names are shortened, and no longer tell all layers.
        """
        if metadata is not None:
            entry = private.schema().MetadataT()
            entry.name = METADATA_NAME
            entry.buffer = self.add_buffer(np.frombuffer(json.dumps(metadata, ensure_ascii=False).encode(), np.uint8))
            self.model.metadata = [*(self.model.metadata or []), entry]
        return compact(self.model)


def layers_of(tensor: str) -> set[str]:
    """The layers that an operator was made of: a tensor's name is "net/conv_1/Squeeze;net/relu_1/Relu;…"."""
    return {re.sub(r"_\d+$", "", part) for name in tensor.split(";") for part in name.split("/")}
