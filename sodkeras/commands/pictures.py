"""The pictures that a verb's arguments name."""

from sodkeras.errors import UsageError
from sodkeras.progress import say


def named_pictures(arguments):
    """See `sodkeras.pictures.find_pictures`; says what is not among them.

    That is what `sodkeras predict` wrote and nobody named, and pictures of kinds that are not read.
    """
    from sodkeras.pictures import find_pictures, left_out

    if not arguments:
        raise UsageError("name at least one picture, folder or glob")
    found, others = find_pictures(arguments), left_out(arguments)
    results = len(find_pictures(arguments, with_results=True)) - len(found)
    if results:
        say(f"{results} files that sodkeras predict wrote were left out")
    if others:
        names = ", ".join(path.name for path in others)
        say(f"{len(others)} files of kinds that are not read were left out: {names}")
    return found
