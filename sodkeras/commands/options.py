"""A verb's flags: each is defined in one line, and those that several verbs have are the same everywhere."""

import re
import types
from collections.abc import Sequence
from typing import Any

from absl import flags

from sodkeras.errors import UsageError


class Options:
    """Defines the flags of one command line, and reads them.

    Every method but `read` and `help` defines a flag by its name, its default and its help; for `several`, `names` and
    `pictures` the default is an empty list unless another is given.
    """

    def __init__(self) -> None:
        self._values = flags.FlagValues()
        self._required: list[str] = []

    def text(self, name: str, default: str | None, text: str, short: str | None = None) -> None:
        """Any text."""
        flags.DEFINE_string(name, default, text, flag_values=self._values, short_name=short)

    def choice(self, name: str, default: str | None, choices: Sequence[str], text: str) -> None:
        """One of some texts."""
        flags.DEFINE_enum(name, default, list(choices), text, flag_values=self._values)

    def whole(self, name: str, default: int | None, text: str, least: int | None = 1, most: int | None = None) -> None:
        """A whole number."""
        flags.DEFINE_integer(name, default, text, flag_values=self._values, lower_bound=least, upper_bound=most)

    def number(
        self, name: str, default: float | None, text: str, least: float | None = 0, most: float | None = None
    ) -> None:
        """A number."""
        flags.DEFINE_float(name, default, text, flag_values=self._values, lower_bound=least, upper_bound=most)

    def switch(self, name: str, default: bool | None, text: str) -> None:
        """--NAME or --noNAME."""
        flags.DEFINE_bool(name, default, text, flag_values=self._values)

    def names(self, name: str, default: Sequence[str] | None, text: str) -> None:
        """Texts with commas between them."""
        flags.DEFINE_list(name, default, text, flag_values=self._values)

    def several(self, name: str, text: str, short: str | None = None) -> None:
        """A flag that may be given several times."""
        flags.DEFINE_multi_string(
            name, [], f"{text} May be given several times.", flag_values=self._values, short_name=short
        )

    def model(self, text: str = "The network: a preset's name or a .keras file.", default: str | None = None) -> None:
        """--model, -m: a network; required without a default."""
        self.text("model", default, text, short="m")
        if default is None:
            self.require("model")

    def out(self, text: str = "The folder to write to.", default: str | None = None) -> None:
        """--out, -o: where to write; required without a default."""
        self.text("out", default, text, short="o")
        if default is None:
            self.require("out")

    def pictures(self, text: str = "Files, folders or globs of pictures.") -> None:
        """--pictures."""
        self.names("pictures", [], text)

    def batch(self) -> None:
        """--recursive and --shard, of every verb that works through pictures."""
        self.switch("recursive", False, "Take the pictures of folders in a folder, too.")
        self.text("shard", None, "I/N: work on every N-th picture only, from the I-th; for jobs side by side.")

    def limit(self, default: int, text: str) -> None:
        """--limit: how many pictures of those that there are."""
        self.whole("limit", default, text)

    def size(self, text: str) -> None:
        """--size: (height, width), None unless it is given."""
        flags.DEFINE(_Size(), "size", None, text, flag_values=self._values)

    def mask_value(self) -> None:
        """--mask_value, of every verb that reads masks."""
        self.whole(
            "mask_value",
            None,
            "The object's class in masks of classes: a palette's index or a grey value; the rest is background.",
            least=0,
            most=65535,
        )

    def json(self) -> None:
        """--json, of every verb that prints a table."""
        self.switch("json", False, "Print the results as JSON, and nothing else, on standard output.")

    def require(self, *names: str) -> None:
        """Says that flags must be given."""
        self._required += names

    def read(self, command: str, arguments: Sequence[str]) -> tuple[types.SimpleNamespace, list[str]]:
        """The flags' values by name, and the arguments that are no flags.

        Raises:
            UsageError: for a flag that there is not, a value that cannot be, or a required flag that is missing.
        """
        try:
            rest = self._values([command, *arguments])[1:]
        except flags.Error as error:
            raise UsageError(str(error)) from None
        missing = [f"--{name}" for name in self._required if self._values[name].value is None]
        if missing:
            received = f". Received: {' '.join(arguments)}" if arguments else ""
            raise UsageError(f"name {' and '.join(missing)}{received}")
        return types.SimpleNamespace(**self._values.flag_values_dict()), rest

    def help(self) -> str:
        """A line for each flag, sorted by name."""
        lines = []
        for name in sorted(self._values):
            flag = self._values[name]
            if name == flag.name:
                short = f", -{flag.short_name}" if flag.short_name else ""
                default = "" if flag.default is None or flag.default == [] else f" (default: {flag.default_as_str})"
                text = flag.help.split(";\n")[0]  # absl adds that a flag may be repeated
                lines.append(f"  --{name}{short}: {text}{default}")
        return "\n".join(lines)


class _Size(flags.ArgumentParser):
    syntactic_help = "HEIGHTxWIDTH"

    def parse(self, argument: Any) -> tuple[int, int]:
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", argument)
        if not match:
            raise ValueError("a size is HEIGHTxWIDTH, as 224x224")
        return int(match[1]), int(match[2])

    def flag_type(self) -> str:
        return "HEIGHTxWIDTH"
