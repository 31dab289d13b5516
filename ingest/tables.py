"""Documents into tables: what they say in rows and columns, as data with the place of every cell.

Tables are recognised by how a document is set, whatever it is about: tables of Markdown and HTML, grids; lists, and
lines of a paragraph, that say something of one name after the other; sections, or items, that each say the same things
of another subject; the entries of an API's page.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode

from ingest.markdown import LISTS, Markdown, parse_document
from ingest.passages_blocks import last_sentence
from ingest.sections import Outline, outlines
from ingest.tables_entries import entry_table, section_entry
from ingest.tables_items import Item, list_items, nested_items, paragraph_items
from ingest.tables_markup import markup_tables
from ingest.tables_rows import Record, item_rows, record_tables, table_rows
from kb.records import Cell, Document, Row, Table, TableKind

# A paragraph of so few characters that ends without a mark is a title; of a long one its last clause is.
SHORT, LONG = 20, 60
_CLAUSE = re.compile(r"[，,；;]\s*")


@dataclass(frozen=True)
class Draft:
    """A table to be; `lead` is what it is called below the last heading of its section."""

    kind: TableKind
    section: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lead: str = ""


def find_tables(document: Document) -> list[Table]:
    """The tables of a document, in its order; their ids are the same every time."""
    markdown = parse_document(document)
    sections = outlines(markdown)
    drafts = [*_entries(markdown, sections), *_records(markdown, sections)]
    told = {
        cell.start
        for draft in drafts
        if draft.kind == "sections"
        for row in draft.rows
        for cell in row.cells
        if cell.text
    }
    for outline in sections:
        within = _in_nodes(markdown, outline.section.path, outline.blocks)
        drafts += [draft for draft in within if draft.rows[0].cells[-1].start not in told]
    drafts.sort(key=lambda draft: draft.rows[0].start)
    return [
        Table(
            id=f"{document.id[:12]}-{number}",
            document_id=document.id,
            source=document.name,
            kind=draft.kind,
            title=_title(draft) or document.title,
            section=draft.section,
            columns=draft.columns,
            rows=draft.rows,
        )
        for number, draft in enumerate(drafts, 1)
    ]


def _title(draft: Draft) -> str:
    return " › ".join(filter(None, [*(heading.rstrip(":：") for heading in draft.section[-1:]), draft.lead]))


def _entries(markdown: Markdown, sections: Sequence[Outline]) -> Iterator[Draft]:
    found = entry_table(markdown, sections)
    if found:
        yield Draft("entries", _common([outline.section.path for outline in sections]), *found)


def _records(markdown: Markdown, sections: Sequence[Outline]) -> Iterator[Draft]:
    """Sections of one parent that each say the same things, with the heading as their subject."""
    siblings: dict[tuple[str, ...], list[Record]] = {}
    for outline in sections:
        items = _first_items(markdown, outline)
        if items and outline.heading and outline.section.path:
            record = Record(_subject(markdown, outline, outline.heading), tuple(items))
            siblings.setdefault((*outline.section.path[:-1], str(outline.section.level)), []).append(record)
    for (*parent, _), records in siblings.items():
        for columns, rows in record_tables(markdown, records):
            yield Draft("sections", tuple(parent), columns, rows)


def _in_nodes(markdown: Markdown, section: tuple[str, ...], nodes: Sequence[SyntaxTreeNode]) -> Iterator[Draft]:
    """The tables, lists and paragraphs of definitions among the nodes, and in block quotes and items there."""
    lead = ""
    for node in nodes:
        items = list_items(markdown, node) if node.type in LISTS else paragraph_items(markdown, node)
        if node.type == "table":
            columns, rows = table_rows(markdown, node)
            if rows:
                yield Draft("table", section, columns, rows, lead)
        elif node.type in {"html_block", "paragraph"} and (found := markup_tables(markdown, node)):
            yield from (Draft("table", section, columns, rows, lead) for columns, rows in found)
        elif items:
            yield Draft("list", section, *item_rows(markdown, items), lead)
        elif node.type == "blockquote":
            yield from _in_nodes(markdown, section, node.children)
        elif node.type in LISTS:
            yield from _in_list(markdown, section, node, lead)
        lead = _lead(node)


def _in_list(markdown: Markdown, section: tuple[str, ...], node: SyntaxTreeNode, lead: str) -> Iterator[Draft]:
    """Items that each say the same things of another subject, or else what tables there are in the items."""
    records = [Record(subject, tuple(items)) for subject, items in nested_items(markdown, node)]
    tables = list(record_tables(markdown, records)) if len(records) == len(node.children) else []
    for columns, rows in tables:
        yield Draft("list", section, columns, rows, lead)
    if not tables:
        for item in node.children:
            yield from _in_nodes(markdown, section, item.children)


def _first_items(markdown: Markdown, outline: Outline) -> list[Item] | None:
    """What a section says of its subject: the items of its only list, unless they are the parameters of an entry."""
    lists = [node for node in outline.blocks if node.type in LISTS]
    items = list_items(markdown, lists[0]) if len(lists) == 1 and not section_entry(markdown, outline) else None
    return items if items and not any(item.type for item in items) else None


def _subject(markdown: Markdown, outline: Outline, heading: SyntaxTreeNode) -> Cell:
    """A section's heading, without the marks around it."""
    start, end = markdown.span(heading)
    line = markdown.text[start:end]
    inside = line.strip("#= \t\r\n-") if heading.markup.startswith("#") else line.split("\n")[0].strip()
    start += line.find(inside)
    return Cell(outline.section.path[-1], start, start + len(inside))


def _lead(node: SyntaxTreeNode) -> str:
    """What a paragraph calls the table or list below it: it ends with a colon, is set apart, or is a word or two."""
    if node.type != "paragraph":
        return ""
    content = node.children[0].content.strip()
    lead = last_sentence(content)
    set_apart = content.startswith("**") and content.endswith("**")
    if not (set_apart or lead.endswith((":", "：")) or (len(lead) <= SHORT and lead[-1:].isalnum())):
        return ""
    lead = lead.rstrip(":： ")
    return _CLAUSE.split(lead)[-1] if len(lead) > LONG else lead


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The headings that all sections stand under."""
    shared = []
    for titles in zip(*[path for path in paths if path], strict=False):
        if len(set(titles)) > 1:
            break
        shared.append(titles[0])
    return tuple(shared)
