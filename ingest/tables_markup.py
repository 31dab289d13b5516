"""Tables that are not set in Markdown: those of HTML, and the grids and simple tables of reStructuredText."""

import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from markdown_it.tree import SyntaxTreeNode

from ingest.markdown import WHITESPACE, Markdown, plain
from ingest.tables_rows import make_row
from kb.records import Cell, Row

__all__ = ["markup_tables"]

Found = tuple[tuple[str, ...], tuple[Row, ...]]
Line = list[Cell]

_TABLE = re.compile(r"<table\b.*?</table\s*>", re.IGNORECASE | re.DOTALL)
_TABLE_END = re.compile(r"</table\s*>", re.IGNORECASE)
# HTML lets the ends of rows and cells be left out: the next one, or the table's end, ends them too.
_ROW = re.compile(r"<tr\b[^<>]*>(.*?)(?=<tr\b|</t(?:r|able)\b|\Z)", re.IGNORECASE | re.DOTALL)
_CELL = re.compile(r"<t[hd]\b[^<>]*>(.*?)(?=<t[hd]\b|</t[hd]\b|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_RULE = re.compile(r"\+(?:[-=]+\+)+")
_COLUMNS = re.compile(r"=+(?: +=+)+")
_BETWEEN_BARS = re.compile(r"(?<=\|)[^|\n]*(?=\|)")


def markup_tables(markdown: Markdown, node: SyntaxTreeNode) -> list[Found]:
    """The columns and rows of each table in a block of HTML, or of the grid or simple table that a paragraph is.

    The first row names the columns; a row has a cell for each of them, whatever it was given.
    """
    start, end = markdown.span(node)
    if node.type == "html_block":
        lines = [_html_lines(markdown.text, table.span()) for table in _tables(markdown.text, start, end)]
    else:
        lines = [list(_grid_lines(markdown.text, start, end)) or list(_simple_lines(markdown.text, start, end))]
    return [_table(markdown, some) for some in lines if len(some) > 1]


def _table(markdown: Markdown, lines: list[Line]) -> Found:
    columns = tuple(cell.text for cell in lines[0])
    rows = []
    for line in lines[1:]:
        first, last = line[0].start, line[-1].end
        missing = [Cell("", last, last)] * (len(columns) - len(line))
        rows.append(make_row(markdown, first, last, [*line, *missing][: len(columns)]))
    return columns, tuple(rows)


def _tables(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """The tables of HTML that end; where none ends there is none to look for."""
    ends = [found.end() for found in _TABLE_END.finditer(text, start, end)]
    return _TABLE.finditer(text, start, ends[-1]) if ends else iter(())


def _html_lines(text: str, bounds: tuple[int, int]) -> list[Line]:
    found = []
    for row in _ROW.finditer(text, *bounds):
        cells = [Cell(_read(cell[1]), *cell.span(1)) for cell in _CELL.finditer(text, *row.span(1))]
        if any(cell.text for cell in cells):
            found.append(cells)
    return found


def _read(source: str) -> str:
    return WHITESPACE.sub(" ", html.unescape(_TAG.sub(" ", source))).strip()


def _grid_lines(text: str, start: int, end: int) -> Iterator[Line]:
    """What stands between the rules of a grid, line by line put together; nothing where there is no grid."""
    if not _RULE.match(text[start:end].lstrip()):
        return
    open_cells: Line = []
    at = start
    for line in text[start:end].splitlines(keepends=True):
        if _RULE.fullmatch(line.strip()):
            if open_cells:
                yield open_cells
            open_cells = []
        else:
            parts = [_part(text, at + part.start(), at + part.end()) for part in _BETWEEN_BARS.finditer(line)]
            open_cells = [_joined(*pair) for pair in zip(open_cells, parts, strict=False)] if open_cells else parts
        at += len(line)


def _simple_lines(text: str, start: int, end: int) -> Iterator[Line]:
    """The rows between the rules of a simple table, a row with an empty first cell joined to the one above it.

    Columns begin where the first rule's do, counted as docutils counts: a wide character takes two.
    """
    at = text.rfind("\n", 0, start) + 1
    rule, *lines = text[at:end].splitlines(keepends=True) or [""]
    if not _COLUMNS.fullmatch(rule.strip()):
        return
    starts = [column.start() for column in re.finditer("=+", rule)]
    row: Line = []
    at += len(rule)
    for line in lines:
        if set(line.strip()) <= set("=- "):
            parts = []
        else:
            edges = [*(_place(line, column) for column in starts), len(line)]
            parts = [_part(text, at + left, at + right) for left, right in pairwise(edges)]
        if parts and row and not parts[0].text:
            row = [_joined(*pair) for pair in zip(row, parts, strict=True)]
        else:
            if row:
                yield row
            row = parts
        at += len(line)
    if row:
        yield row


def _place(line: str, column: int) -> int:
    """Where in a line a column of the screen begins."""
    taken = 0
    for place, character in enumerate(line):
        if taken >= column:
            return place
        taken += 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
    return len(line)


def _part(text: str, start: int, end: int) -> Cell:
    inside = text[start:end].strip()
    start += text[start:end].find(inside)
    return Cell(plain(inside), start, start + len(inside))


def _joined(above: Cell, below: Cell) -> Cell:
    """A cell with its next line; its place is that of all that stands from its beginning to its end."""
    if not (above.text and below.text):
        return above if above.text else below
    return Cell(f"{above.text} {below.text}", above.start, below.end)
