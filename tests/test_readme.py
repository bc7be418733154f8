"""The documents' tables are those that the benchmarks' CSV files give, and the README's commands exist."""

import pathlib
import re
import runpy

import pytest

from sodkeras.commands.main import VERBS

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLES = runpy.run_path(str(ROOT / "docs" / "tables.py"))


def read(document):
    return (ROOT / document).read_text(encoding="utf-8")


@pytest.mark.parametrize("document", TABLES["DOCUMENTS"])
def test_tables_are_those_of_the_csv_files(document):
    text = read(document)
    assert TABLES["render"](text) == text, "run python docs/tables.py"
    assert text.count("<!-- table ") == len(re.findall(r"<!-- table .+? -->\n\|", text)) > 0


@pytest.mark.parametrize("document", TABLES["DOCUMENTS"])
def test_every_verb_and_file_it_names_is_there(document):
    text = read(document)
    assert set(re.findall(r"^sodkeras ([\w-]+)", text, re.M)) <= set(VERBS)
    for path in re.findall(r"python ((?:docs|training|tflite)/[\w/.]+)", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([\w./]+)", text):
        assert ((ROOT / document).parent / link).exists(), link
