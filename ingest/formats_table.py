"""Rows of values as a table of Markdown, so that a question finds the cell."""

from collections.abc import Sequence

__all__ = ["markdown_table"]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows that are not empty, the first as the header; nothing where all are empty."""
    written = [row for row in rows if any(map(str.strip, row))]
    if not written:
        return ""
    width = max(map(len, written))
    header, *others = [_line([*row, *[""] * (width - len(row))]) for row in written]
    return "\n".join([header, _line(["---"] * width), *others])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
