"""How much of a `.tflite` graph the CPU's delegate (XNNPACK) has taken."""

import dataclasses
from typing import Any

from sodkeras.tflite.private import operators


@dataclasses.dataclass(frozen=True)
class Partitions:
    """Operators of the file, those that run inside a delegate, and the delegate's partitions.

    Every partition but one costs a hand-over; an operator outside runs on TensorFlow Lite's slower reference path.
    """

    operators: int
    delegated: int
    partitions: int
    #: Name and count of the operators that no delegate took.
    outside: dict

    def __str__(self):
        text = f"{self.delegated} of {self.operators} ops delegated, {self.partitions} partition"
        text += "" if self.partitions == 1 else "s"
        left = ", ".join(f"{count} {name}" for name, count in sorted(self.outside.items()))
        return f"{text}; outside: {left}" if left else text


def count_partitions(interpreter: Any) -> Partitions:
    """Counts by walking back from the outputs of an interpreter whose tensors are allocated.

    After delegation the interpreter lists the file's operators and the delegate's nodes side by side. Only what the
    outputs depend on is run: where both produce a tensor, the delegate's node does.
    """
    nodes = operators(interpreter)
    originals = [node for node in nodes if node["op_name"] != "DELEGATE"]
    producers = {}
    for node in sorted(nodes, key=lambda node: node["op_name"] == "DELEGATE"):
        for tensor in node["outputs"]:
            producers[int(tensor)] = node
    run = {}
    waiting = [details["index"] for details in interpreter.get_output_details()]
    while waiting:
        producer = producers.get(int(waiting.pop()))
        if producer is not None and producer["index"] not in run:
            run[producer["index"]] = producer
            waiting.extend(producer["inputs"])
    outside: dict[str, int] = {}
    for node in run.values():
        if node["op_name"] != "DELEGATE":
            outside[node["op_name"]] = outside.get(node["op_name"], 0) + 1
    return Partitions(
        operators=len(originals),
        delegated=len(originals) - sum(outside.values()),
        partitions=sum(node["op_name"] == "DELEGATE" for node in run.values()),
        outside=outside,
    )
