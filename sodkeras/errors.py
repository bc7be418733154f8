"""The error a user can mend."""


class SodkerasError(ValueError):
    """Something outside the code is wrong: a file, a flag, a download.

    Its message is one sentence that says what to do and ends with the value received; the command line prints it
    without a traceback.
    """


class UsageError(SodkerasError):
    """A command was called in a way that its help would have prevented: it ends with exit code 2."""


def first_line(error):
    """Of another library's error, what fits into a sentence."""
    return str(error).strip().split("\n")[0].rstrip(".")
