"""Values between commas, semicolons or tabs as a table of Markdown, whose rows are then found by their header."""

import csv
import io
from collections.abc import Sequence

__all__ = ["CSV", "csv_table"]

CSV = (".csv", ".tsv")
DELIMITERS = (",", ";", "\t")


def csv_table(text: str) -> str:
    """The rows of a file, the first as the header; nothing where all are empty.

    What parts the values is what there is most of in the first line.
    """
    first_line = text.lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(map(str.strip, row))]
    if not rows:
        return ""
    width = max(map(len, rows))
    header, *others = [_line([*row, *[""] * (width - len(row))]) for row in rows]
    return "\n".join([header, _line(["---"] * width), *others])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
