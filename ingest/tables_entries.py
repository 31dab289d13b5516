"""The entries of an API's page as rows: name, signature, and what it does."""

from collections.abc import Iterator, Sequence

from ingest.markdown import Markdown, plain
from ingest.passages_blocks import Block, blocks_of
from ingest.sections import Outline
from ingest.tables_rows import columns_for, make_row
from kb.entries import Entry, find_entry, put_together, without_references
from kb.records import Cell, Row


def section_entry(markdown: Markdown, outline: Outline) -> tuple[Entry, int] | None:
    """The entry that a section opens with, and where its section begins; the entry's places count from there."""
    if outline.heading is None:
        return None
    start = markdown.span(outline.heading)[0]
    entry = find_entry(markdown.text[start : outline.section.end])
    return (entry, start) if entry else None


def entry_table(markdown: Markdown, sections: Sequence[Outline]) -> tuple[tuple[str, ...], tuple[Row, ...]] | None:
    """The columns and rows of a page's entries; None where there are fewer than two."""
    rows = tuple(row for outline in sections for row in _rows(markdown, outline))
    return (columns_for(rows, "name", "signature", "text"), rows) if len(rows) > 1 else None


def _rows(markdown: Markdown, outline: Outline) -> Iterator[Row]:
    found = section_entry(markdown, outline)
    if found:
        entry, start = found
        begin, end = start + entry.start, start + entry.end
        name = Cell(entry.name, begin, start + entry.name_end)
        signature = Cell(entry.signature, begin, end)
        said = _description(markdown, [block for block in blocks_of(markdown, outline.blocks) if block.start >= end])
        text = said or Cell("", end, end)
        yield make_row(markdown, begin, max(end, text.end), (name, signature, text))


def _description(markdown: Markdown, blocks: Sequence[Block]) -> Cell | None:
    """What an entry does: its first paragraph that leads to nothing, or else the first with what it leads to."""
    prose = [number for number, block in enumerate(blocks) if block.kind == "prose"]
    alone = [number for number in prose if number + 1 == len(blocks) or blocks[number + 1].kind == "prose"]
    if not prose:
        return None
    first = (alone or prose)[0]
    start, end = blocks[first].start, blocks[first].end if alone else blocks[-1].end
    return Cell(plain(put_together(without_references(markdown.text[start:end]))), start, end)
