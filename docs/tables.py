"""Writes the tables of README.md and docs/results.md from the CSV files that the benchmarks wrote.

usage: python docs/tables.py

A table stands between `<!-- table FILE.csv: column = heading, column = heading -->` and `<!-- end -->`.
"""

import csv
import pathlib
import re

from tabulate import tabulate

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = ("README.md", "docs/results.md")
_TABLE = re.compile(r"(<!-- table (\S+): (.+?) -->\n).*?(<!-- end -->)", re.S)


def render(text):
    """The text with each of its tables made anew."""

    def table(match):
        opening, path, columns, end = match.groups()
        headings = dict(re.split(r"\s*=\s*", column, maxsplit=1) for column in columns.split(","))
        headings = {name.strip(): heading.strip() for name, heading in headings.items()}
        with open(ROOT / path, newline="", encoding="utf-8") as file:
            rows = [[_short(row[name]) for name in headings] for row in csv.DictReader(file)]
        return f"{opening}{tabulate(rows, list(headings.values()), 'pipe', disable_numparse=True)}\n{end}"

    return _TABLE.sub(table, text)


def _short(value):
    """Scores have all their digits in the files."""
    return f"{float(value):.4f}" if re.fullmatch(r"0\.\d{7,}", value) else value


if __name__ == "__main__":
    for document in DOCUMENTS:
        path = ROOT / document
        path.write_text(render(path.read_text(encoding="utf-8")), encoding="utf-8")
