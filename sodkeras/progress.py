"""What a program says while it works, on standard error: progress bars and remarks, which $SODKERAS_QUIET=1 silences,
and warnings, which it does not."""

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

#: The environment's variable; child processes see it, too.
QUIET = "SODKERAS_QUIET"


def is_quiet() -> bool:
    """Whether nothing but results, warnings and errors is wanted."""
    return os.environ.get(QUIET, "") not in ("", "0")


def progress_bar(items: Iterable | None = None, purpose: str | None = None, **arguments: Any) -> Any:
    """A `tqdm.tqdm` that is silent if nothing is to be said, or nowhere.

    Args:
        items: what is gone through; None for a bar that is updated by hand.
        purpose: what stands before it.
        **arguments: of `tqdm.tqdm`.
    """
    from tqdm import tqdm  # which a board that only runs networks lacks

    stream = arguments.setdefault("file", sys.stderr)
    arguments["disable"] = arguments.get("disable") or is_quiet() or stream is None
    return tqdm(items, purpose, **arguments)


def say(text: str, stream: TextIO | None = None) -> None:
    """Prints a line, by default on standard error, unless nothing is to be said."""
    stream = stream or sys.stderr
    if stream is not None and not is_quiet():  # a program without a console has no stream
        print(text, file=stream, flush=True)


def warn(text: str, stream: TextIO | None = None) -> None:
    """Prints a line that makes a result doubtful, by default on standard error."""
    stream = stream or sys.stderr
    if stream is not None:
        print(f"warning: {text}", file=stream, flush=True)
