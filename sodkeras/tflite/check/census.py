"""What a `.tflite` file is made of, and what of it a phone's CPU would not run fast, or not at all."""

import collections
import dataclasses
from typing import Any

from sodkeras.tflite.check.partitions import Partitions, count_partitions
from sodkeras.tflite.private import operators

#: What a dilated convolution becomes when the batch was not static: it runs, several times slower.
_SPACE_TO_BATCH = ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")


@dataclasses.dataclass(frozen=True)
class Census:
    """The operators of a file.

    Args:
        operators: how many there are of each.
        partitions: how many of them the delegate takes, see `sodkeras.tflite.check.partitions`.
    """

    operators: dict
    partitions: Partitions

    def problems(self, delegated: bool = True) -> list[str]:
        """One sentence for each operator that should not be there.

        Args:
            delegated: whether all operators must run in one partition of the delegate.
        """
        sentences = []
        flex = sorted(name for name in self.operators if name.lower().startswith("flex"))
        if flex:
            sentences.append(f"{', '.join(flex)} need TensorFlow on the phone")
        found = sorted(set(_SPACE_TO_BATCH) & set(self.operators))
        if found:
            sentences.append(
                f"{', '.join(found)} stand around dilated convolutions, as with a batch that is not static"
            )
        # An unsigned interface is changed to the signed integers inside by a QUANTIZE at either end: a copy, no more.
        outside = self.partitions.outside.keys() - {"QUANTIZE"}
        if delegated and (outside or self.partitions.partitions != 1):
            sentences.append(f"not one partition: {self.partitions}")
        return sentences

    def to_dict(self) -> dict:
        """A plain dict for JSON."""
        return {"operators": self.operators, "delegation": str(self.partitions)} | {
            name: value for name, value in dataclasses.asdict(self.partitions).items() if name != "operators"
        }


def take_census(interpreter: Any) -> Census:
    """The `Census` of an interpreter whose tensors are allocated."""
    names = collections.Counter(node["op_name"] for node in operators(interpreter) if node["op_name"] != "DELEGATE")
    return Census(dict(sorted(names.items())), count_partitions(interpreter))
