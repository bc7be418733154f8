"""The pictures that a verb's arguments name."""

from sodkeras.errors import UsageError


def named_pictures(arguments):
    """See `sodkeras.pictures.find_pictures`; says on standard output which pictures cannot be among them."""
    from sodkeras.pictures import find_pictures, left_out

    if not arguments:
        raise UsageError("name at least one picture, folder or glob")
    found, others = find_pictures(arguments), left_out(arguments)
    if others:
        names = ", ".join(path.name for path in others)
        print(f"{len(others)} files of kinds that are not read were left out: {names}")
    return found
