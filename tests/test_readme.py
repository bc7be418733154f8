"""The README's tables are those that the benchmarks' CSV files give, and its commands exist."""

import pathlib
import re
import runpy

from sodkeras.commands.main import VERBS

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_csv_files():
    render = runpy.run_path(str(ROOT / "benchmarks" / "readme_tables.py"))["render"]
    assert render(README) == README, "run python benchmarks/readme_tables.py"
    assert README.count("<!-- table ") == len(re.findall(r"<!-- table .+? -->\n\|", README)) > 0


def test_every_verb_and_file_it_names_is_there():
    assert set(re.findall(r"^sodkeras ([\w-]+)", README, re.M)) <= set(VERBS)
    for path in re.findall(r"(?:python |\]\()((?:benchmarks|docs|examples)/[\w/.]+)", README):
        assert (ROOT / path).exists(), path
