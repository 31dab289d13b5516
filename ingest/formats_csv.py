"""Values between commas, semicolons or tabs as tables of Markdown, whose rows are then found by their headers."""

import csv
import io

from ingest.formats_sheet import sheet_text

__all__ = ["CSV", "csv_text"]

CSV = (".csv", ".tsv")
DELIMITERS = (",", ";", "\t")


def csv_text(text: str) -> str:
    """The tables of a file as those of a sheet; nothing where all rows are empty.

    What parts the values is what there is most of in the first line that has any of it.
    """
    lines = (line for line in io.StringIO(text) if any(mark in line for mark in DELIMITERS))
    delimiter = max(DELIMITERS, key=next(lines, "").count)
    rows = enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1)
    cells = ((row, {at: value for at, value in enumerate(values, 1) if value.strip()}) for row, values in rows)
    return sheet_text({row: values for row, values in cells if values})
