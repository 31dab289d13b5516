"""Tables into rows and lists into items, each knowing what stands above it."""

from collections.abc import Iterator

from markdown_it.tree import SyntaxTreeNode

from ingest.markdown import LISTS, Markdown, has_words, only_links, plain
from ingest.passages_blocks import (
    PROSE,
    SMALL,
    WHOLE,
    Block,
    Draft,
    blocks_of,
    cut,
    last_sentence,
    size,
)
from ingest.tables_items import paragraph_items


def table_drafts(markdown: Markdown, table: Block, start: int) -> Iterator[Draft]:
    """The table from `start` (its lead, or its own start) on, with each row as a part; a huge one in stretches."""
    header = _cells(table.node.children[0].children[0])
    rows = tuple(_rows(markdown, table.node, header))
    for number, stretch in enumerate(_stretches(markdown, rows, start)):
        columns = (" ".join(header),) if number else ()
        begin = stretch[0].start if number else start
        yield Draft("table", begin, stretch[-1].end, columns, stretch, header)
    if not rows:
        yield Draft("table", start, table.end, header=header)


def list_drafts(markdown: Markdown, block: Block, start: int, lead: str) -> Iterator[Draft]:
    """A list too long for one thought: whole, or in stretches if it is huge, with its items as parts.

    `start` is where its lead begins if that is near, else the list's own start; `lead` is what items are found by.
    """
    if only_links(markdown.text[block.start : block.end]):
        yield from (Draft("list", *span) for span in cut(markdown, start, block.end, WHOLE))
        return
    items = tuple(item.under(lead) for item in _join_small(markdown, list(_items(markdown, block.node))))
    for number, stretch in enumerate(_stretches(markdown, items, start)):
        begin = stretch[0].start if number else start
        yield Draft("list", begin, stretch[-1].end, (lead,) if number or start == block.start else (), stretch)


def _rows(markdown: Markdown, table: SyntaxTreeNode, header: tuple[str, ...]) -> Iterator[Draft]:
    for body in (part for part in table.children if part.type == "tbody"):
        for row in body.children:
            start, end = markdown.span(row)
            if has_words(markdown.text[start:end]):
                yield Draft("table_row", start, end, (_named_cells(header, _cells(row)),), header=header)


def _cells(row: SyntaxTreeNode) -> tuple[str, ...]:
    return tuple(plain(cell.children[0].content) for cell in row.children)


def _named_cells(header: tuple[str, ...], cells: tuple[str, ...]) -> str:
    return " ".join(f"{name}: {cell}" if name else cell for name, cell in zip(header, cells, strict=False) if cell)


def _stretches(markdown: Markdown, rows: tuple[Draft, ...], start: int) -> Iterator[tuple[Draft, ...]]:
    """Runs of rows that, with what stands above the first of them, are small enough to be shown whole."""
    run: list[Draft] = []
    for row in rows:
        if run and size(markdown, start, row.end) > WHOLE:
            yield tuple(run)
            run, start = [], row.start
        run.append(row)
    if run:
        yield tuple(run)


def _items(markdown: Markdown, node: SyntaxTreeNode) -> Iterator[Draft]:
    for line in paragraph_items(markdown, node) or ():
        yield from (Draft("list", *span) for span in cut(markdown, line.start, line.end, PROSE))
    for item in node.children if node.type in LISTS else ():
        start, end = markdown.span(item)
        if not has_words(markdown.text[start:end]):
            continue
        if size(markdown, start, end) <= PROSE:
            yield Draft("list", start, end)
        else:
            yield from _long_item(markdown, item, start)


def _long_item(markdown: Markdown, item: SyntaxTreeNode, start: int) -> Iterator[Draft]:
    """The blocks of an item that is too long for one passage; its first paragraph leads the lists and code in it."""
    lead = ""
    for block in blocks_of(markdown, item.children):
        if block.kind == "list":
            yield from list_drafts(markdown, block, block.start, lead)
        elif block.kind == "table":
            yield from (draft.under(lead) for draft in table_drafts(markdown, block, block.start))
        else:
            kind = "list" if block.kind == "prose" else block.kind
            limit = PROSE if block.kind == "prose" else WHOLE
            begin = min(start, block.start) if not lead else block.start
            yield from (Draft(kind, *span, (lead,) if lead else ()) for span in cut(markdown, begin, block.end, limit))
            if block.kind == "prose":
                lead = last_sentence(block.node.children[0].content if block.node.children else "")


def _join_small(markdown: Markdown, items: list[Draft]) -> Iterator[Draft]:
    """Items of a word or two joined with those after them until they say something."""
    held: Draft | None = None
    for item in items:
        if held and size(markdown, held.start, item.end) <= PROSE:
            held = Draft("list", held.start, item.end, held.context)
        elif held:
            yield held
            held = item
        else:
            held = item
        if held and size(markdown, held.start, held.end) >= SMALL / 2:
            yield held
            held = None
    if held:
        yield held
