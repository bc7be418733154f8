"""The types a `.tflite` file computes in, named as LiteRT's quantizer names them."""

from collections.abc import Iterable

from sodkeras.errors import UsageError

#: Full name to what it means.
NUMERICS = {
    "float32": "weights and activations in 32-bit float",
    "float16": "weights stored in 16-bit float, computed in it where the processor can, else in 32-bit",
    "dynamic_wi8_afp32": "weights in 8-bit integer, activations in float",
    "static_wi8_ai8": "8-bit integer, input and output too, calibrated; float where weights do not fit",
    "static_wi8_ai16": "weights in 8-bit, activations in 16-bit integer, calibrated; no delegate takes it: slow",
}
#: What people say for short.
ALIASES = {
    "float": "float32",
    "dynamic": "dynamic_wi8_afp32",
    "int8": "static_wi8_ai8",
    "int16": "static_wi8_ai16",
}


def resolve(names: Iterable[str]) -> list[str]:
    """Full names for names and aliases, each once, in order.

    Raises:
        UsageError: for an unknown name, or none.
    """
    full = list(dict.fromkeys(ALIASES.get(name, name) for name in names))
    unknown = [name for name in full if name not in NUMERICS]
    if unknown or not full:
        raise UsageError(
            f"The numerics are {', '.join([*NUMERICS, *ALIASES])}. Received: {','.join(unknown) or 'none'}"
        )
    return full


def needs_calibration(name: str) -> bool:
    """Whether pictures are needed to find the activations' ranges."""
    return name.startswith("static_")


def is_delegated(name: str) -> bool:
    """Whether the CPU's delegate (XNNPACK) has the operators that a file of these numerics is made of."""
    return name != "static_wi8_ai16"


def interfaces(name: str) -> tuple[str, ...]:
    """The types that the input and output of a file may have, its own first."""
    return {"static_wi8_ai8": ("int8", "uint8", "float32"), "static_wi8_ai16": ("int16", "float32")}.get(
        name, ("float32",)
    )
