"""The pictures that a verb's arguments name."""

import re

from sodkeras.errors import UsageError
from sodkeras.progress import say


def named_pictures(arguments, recursive=False):
    """See `sodkeras.pictures.find_pictures`; says what is not among them.

    That is what `sodkeras predict` wrote and nobody named, and pictures of kinds that are not read.
    """
    from sodkeras.pictures import find_pictures, left_out

    if not arguments:
        raise UsageError("name at least one picture, folder or glob")
    found, others = find_pictures(arguments, recursive=recursive), left_out(arguments, recursive)
    results = len(find_pictures(arguments, with_results=True, recursive=recursive)) - len(found)
    if results:
        say(f"{results} files that sodkeras predict wrote were left out")
    if others:
        names = ", ".join(path.name for path in others)
        say(f"{len(others)} files of kinds that are not read were left out: {names}")
    return found


def part_of(pictures, shard):
    """Every N-th picture, from the I-th, for "I/N"; all of them for None. Parts from 1 to N are all pictures.

    Raises:
        UsageError: for what is no such text.
    """
    if shard is None:
        return pictures
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard takes I/N, from 1/N to N/N. Received: {shard}")
    return pictures[int(match[1]) - 1 :: int(match[2])]
