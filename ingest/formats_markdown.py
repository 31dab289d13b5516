"""What documents of other programs hold, line by line and row by row, as Markdown that says the same."""

import re
from collections.abc import Sequence

__all__ = ["BLOCK", "markdown_table", "on_one_line", "paragraph"]

BLOCK = re.compile(r"^(?=[#>|]|[-+*] )")  # where a line begins that would be something else than a paragraph


def on_one_line(text: str) -> str:
    return " ".join(text.split())


def paragraph(text: str) -> str:
    """A text that is no heading, quote, row or item, whatever it begins with."""
    return BLOCK.sub(r"\\", on_one_line(text))


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows that are not empty, the first as the header; nothing where all are empty."""
    written = [row for row in rows if any(map(str.strip, row))]
    if not written:
        return ""
    width = max(map(len, written))
    header, *others = [_row([*row, *[""] * (width - len(row))]) for row in written]
    return "\n".join([header, _row(["---"] * width), *others])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(on_one_line(cell).replace("|", "\\|") for cell in cells) + " |"
