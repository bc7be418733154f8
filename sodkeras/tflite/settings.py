"""What one conversion is asked for."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from sodkeras.errors import SodkerasError, UsageError
from sodkeras.tflite.inside import DEFAULT, check_parts
from sodkeras.tflite.numerics import interfaces, needs_calibration, resolve

#: How 8-bit files may compute PReLU.
PRELU = ("auto", "exact")


@dataclasses.dataclass(frozen=True)
class ConversionSettings:
    """Everything that decides what files become of a network and its calibration pictures.

    Attributes:
        numerics: names from `sodkeras.tflite.numerics`, or their aliases; one file for each.
        limit: calibration pictures used at most, evenly spread over those found.
        keep_float: patterns (`fnmatch`) of the names of layers that stay in float in `static_*`; an empty list for
            none; by default convolutions whose weights do not fit into 8 bits, and products of matrices (see
            `sodkeras.tflite.eight_bits.weight_rounding`), a DNL's with weights of 8 bits (see
            `sodkeras.tflite.file.byte_weights`).
        prelu: how `static_*` computes PReLU: "exact", or "auto" for something cheaper wherever 8 bits cannot tell the
            two apart (see `sodkeras.tflite.passes.prelu`).
        inside: what of "normalisation", "resize" and "sigmoid" is in the graph, see `sodkeras.tflite.inside`.
        interface: the type of the input and output of `static_*`: "int8", "uint8", "int16" or "float32"; by default
            that of the activations. Other numerics have float32.
        sensitivity: whether to measure what each layer costs in `static_wi8_ai8`, see
            `sodkeras.tflite.eight_bits.float_budget`.
        mae_budget: the mean absolute difference from Keras that the `static_wi8_ai8` file may have on calibration
            pictures; as few further layers as it takes stay in float.

    Raises:
        UsageError: for unknown numerics, parts or types.
    """

    numerics: str | Sequence[str] = ("float32",)
    limit: int = 100
    keep_float: Sequence[str] | None = None
    prelu: str = "auto"
    inside: Sequence[str] = DEFAULT
    interface: str | None = None
    sensitivity: bool = False
    mae_budget: float | None = None

    def __post_init__(self) -> None:
        names = [self.numerics] if isinstance(self.numerics, str) else self.numerics
        object.__setattr__(self, "numerics", tuple(resolve(names)))
        object.__setattr__(self, "inside", check_parts(self.inside))
        if self.prelu not in PRELU:
            raise UsageError(f"PReLU is computed as one of {', '.join(PRELU)}. Received: {self.prelu}")
        for name in filter(needs_calibration, self.numerics):
            if self.interface not in (None, *interfaces(name)):
                raise UsageError(
                    f"The interface of {name} is one of {', '.join(interfaces(name))}. Received: {self.interface}"
                )

    @property
    def integers(self) -> bool:
        """Whether a file has integer activations, for which pictures are needed."""
        return any(map(needs_calibration, self.numerics))

    def check_calibrated(self, calibration: Any) -> None:
        """Raises SodkerasError if pictures to calibrate with are needed and there are none."""
        if self.integers and not calibration:
            raise SodkerasError(
                "Integer activations need pictures to calibrate with, a hundred like those the network will see: give "
                f"--calibrate=FOLDER. Received: {', '.join(self.numerics)}"
            )
