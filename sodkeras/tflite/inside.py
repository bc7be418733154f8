"""What of a network's pre- and post-processing can be inside the graph, by name; this needs no Keras."""

from collections.abc import Iterable, Sequence

from sodkeras.errors import UsageError

#: What can be inside: the normalisation in front, the last resize and the sigmoid behind.
PARTS = ("normalisation", "resize", "sigmoid")
#: What is inside unless something else is asked for: the graph takes a normalised picture and gives a map of its size.
DEFAULT = ("resize", "sigmoid")


def check_parts(inside: Iterable[str]) -> tuple[str, ...]:
    """The parts, each once, in the order of `PARTS`; raises UsageError for an unknown one."""
    unknown = [part for part in inside if part not in PARTS]
    if unknown:
        raise UsageError(f"Inside the graph can be {', '.join(PARTS)}. Received: {','.join(unknown)}")
    return tuple(part for part in PARTS if part in inside)


def unusual(inside: Sequence[str]) -> list[str]:
    """Words for a file's name that say what differs from `DEFAULT`, a list."""
    words = {"normalisation": "rgb", "resize": "unresized", "sigmoid": "logits"}
    return [words[part] for part in PARTS if (part in inside) != (part in DEFAULT)]
