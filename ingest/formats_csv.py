"""Values between commas, semicolons or tabs as a table of Markdown, whose rows are then found by their header."""

import csv
import io

from ingest.formats_markdown import markdown_table

__all__ = ["CSV", "csv_table"]

CSV = (".csv", ".tsv")
DELIMITERS = (",", ";", "\t")


def csv_table(text: str) -> str:
    """The rows of a file, the first as the header; nothing where all are empty.

    What parts the values is what there is most of in the first line.
    """
    first_line = text.lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    return markdown_table(list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
