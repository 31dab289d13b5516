"""Rows: of Markdown tables, of items that each say something of a name, of subjects of which the same is said."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markdown_it.tree import SyntaxTreeNode

from ingest.markdown import Markdown, has_words, plain
from ingest.tables_items import Item
from kb.records import Cell, Row

# What the columns of a table without a header are called, in Chinese text and in other.
CHINESE = {"name": "名称", "type": "类型", "text": "说明", "signature": "签名"}
OTHER = {"name": "name", "type": "type", "text": "description", "signature": "signature"}
# Subjects of which the same things are said share at least so many of them.
SHARED = 2

_HAN = re.compile(r"[\u3400-\u9fff]")
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Record:
    """A subject, and item by item what is said of it."""

    subject: Cell
    items: tuple[Item, ...]


def make_row(markdown: Markdown, start: int, end: int, cells: Iterable[Cell]) -> Row:
    return Row(tuple(cells), start, end, markdown.line(start), markdown.line(max(start, end - 1)))


def columns_for(rows: Sequence[Row], *names: str) -> tuple[str, ...]:
    """The names of columns that have no header, in the language of the rows."""
    chinese = any(_HAN.search(cell.text) for row in rows for cell in row.cells)
    return tuple((CHINESE if chinese else OTHER)[name] for name in names)


def table_rows(markdown: Markdown, table: SyntaxTreeNode) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """A Markdown table's columns and rows; a row has a cell for each column, whatever it was given."""
    columns = tuple(plain(head.children[0].content) for head in table.children[0].children[0].children)
    bodies = [body for body in table.children if body.type == "tbody"]
    spans = [markdown.span(node) for body in bodies for node in body.children]
    return columns, tuple(
        make_row(markdown, start, end, _cells(markdown, start, end, len(columns)))
        for start, end in spans
        if has_words(markdown.text[start:end])
    )


def item_rows(markdown: Markdown, items: Sequence[Item]) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """The columns and rows of items: name, type if half of them have one, text."""
    typed = 2 * sum(item.type is not None for item in items) >= len(items)
    rows = tuple(make_row(markdown, item.start, item.end, _item_cells(item, typed=typed)) for item in items)
    return columns_for(rows, "name", *(["type"] if typed else []), "text"), rows


def record_tables(markdown: Markdown, records: Sequence[Record]) -> Iterator[tuple[tuple[str, ...], tuple[Row, ...]]]:
    """Tables of the subjects that share what is said of them, one column for each thing that is said."""
    groups: list[tuple[dict[str, None], list[Record]]] = []
    for record in records:
        keys = dict.fromkeys(item.name.text for item in record.items)
        for known, members in groups:
            if len(known.keys() & keys.keys()) >= SHARED:
                known.update(keys)
                members.append(record)
                break
        else:
            groups.append((keys, [record]))
    for known, members in groups:
        if len(members) > 1:
            rows = tuple(_record_row(markdown, member, tuple(known)) for member in members)
            yield (*columns_for(rows, "name"), *known), rows


def _record_row(markdown: Markdown, record: Record, keys: Sequence[str]) -> Row:
    said = {item.name.text: item.text for item in record.items}
    start, end = record.subject.start, record.items[-1].end
    cells = [said.get(key, Cell("", end, end)) for key in keys]
    return make_row(markdown, start, end, [record.subject, *cells])


def _item_cells(item: Item, *, typed: bool) -> Iterator[Cell]:
    name, kind = item.name, item.type
    if kind and not typed:
        name, kind = Cell(f"{name.text} ({kind.text})", name.start, kind.end + 1), None
    yield name
    if typed:
        yield kind or Cell("", name.end, name.end)
    yield item.text


def _cells(markdown: Markdown, start: int, end: int, width: int) -> list[Cell]:
    """The cells of the row at [start, end), between its bars; those that are missing are empty."""
    text = markdown.text
    start += len(text[start:end]) - len(text[start:end].lstrip("> \t"))
    bars = [bar.start() for bar in _BAR.finditer(text, start, end)]
    first, last = [start - 1] if start not in bars[:1] else [], [end] if end - 1 not in bars[-1:] else []
    spans = [markdown.trim(one + 1, other) for one, other in pairwise([*first, *bars, *last])][:width]
    cells = [Cell(plain(text[a:b].replace("\\|", "|")), a, b) for a, b in spans]
    return cells + [Cell("", end, end)] * (width - len(cells))
