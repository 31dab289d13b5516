"""Documents into passages: the pieces that are searched, shown and cited.

A section that holds one thought is one passage, heading included. A longer one is taken apart as it was written:
paragraphs, lists with their leads, code with the sentence that introduces it, tables whole and row by row. What a
passage's text doesn't say, the headings above it, a list's lead or a row's column names, is its context.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ingest.markdown import WHITESPACE, Markdown, has_words, parse_document
from ingest.passages_blocks import PROSE, Block, Draft, blocks_of, cut, size
from ingest.passages_entries import entry_drafts
from ingest.passages_groups import group_drafts, groups, join_small, main_kind
from ingest.sections import Outline, outlines
from kb.entries import referenced_names
from kb.records import Document, Passage

# How far above its passage a heading without text of its own may stand and still be shown with it.
NEAR = 120


def split_passages(document: Document) -> list[Passage]:
    """The passages of a document, in its order; where one stands inside another, the outer comes first.

    `text[start:end] == passage.text` for each; ids are unique and the same every time. A passage that says word for
    word what an earlier one of its section says is left out.
    """
    markdown = parse_document(document)
    passages: dict[str, Passage] = {}
    said: set[tuple[tuple[str, ...], str]] = set()
    for outline, draft in _drafts(markdown):
        passage = _passage(document, markdown, outline, draft)
        body = document.text[max(draft.start, _heading_end(markdown, outline)) : draft.end]
        words = (passage.section, WHITESPACE.sub(" ", body).strip())
        if words not in said:
            said.add(words)
            passages.setdefault(passage.id, passage)
    return list(passages.values())


def _drafts(markdown: Markdown) -> Iterator[tuple[Outline, Draft]]:
    """Every draft with its section; headings with nothing below them are read together with what follows."""
    waiting: list[Outline] = []
    for outline in outlines(markdown):
        blocks = blocks_of(markdown, outline.blocks)
        if blocks:
            start = _heading_start(markdown, outline)
            near = waiting and blocks[0].start - _heading_start(markdown, waiting[0]) <= NEAR
            if near:
                start = _heading_start(markdown, waiting[0])
            else:
                yield from _headings(markdown, waiting)
            for draft in _section(markdown, blocks, start):
                yield from ((outline, piece) for piece in _flat(draft))
            waiting = []
        elif any(has_words(markdown.source(node)) for node in outline.blocks):
            waiting = []  # a table of contents: the headings it repeats are found where they stand
        elif outline.heading:
            waiting.append(outline)
    yield from _headings(markdown, waiting)


def _headings(markdown: Markdown, waiting: Sequence[Outline]) -> Iterator[tuple[Outline, Draft]]:
    """Headings that nothing near them belongs to, read together."""
    if waiting and waiting[-1].heading:
        start, end = _heading_start(markdown, waiting[0]), markdown.span(waiting[-1].heading)[1]
        yield from ((waiting[0], Draft("prose", *span)) for span in cut(markdown, start, end, PROSE))


def _section(markdown: Markdown, blocks: Sequence[Block], start: int) -> list[Draft]:
    """The drafts of one section whose heading begins at `start`; the first one takes the heading along."""
    if all(block.kind != "table" for block in blocks) and size(markdown, start, blocks[-1].end) <= PROSE:
        return [Draft(main_kind(blocks), start, blocks[-1].end)]
    entry = entry_drafts(markdown, blocks, start)
    if entry:
        return entry
    drafts = [draft for group in groups(markdown, blocks) for draft in group_drafts(markdown, group)]
    first, *others = join_small(markdown, drafts)
    return [replace(first, start=start), *others]


def _heading_start(markdown: Markdown, outline: Outline) -> int:
    return markdown.span(outline.heading or outline.blocks[0])[0]


def _heading_end(markdown: Markdown, outline: Outline) -> int:
    return markdown.span(outline.heading)[1] if outline.heading and outline.blocks else outline.section.start


def _flat(draft: Draft) -> Iterable[Draft]:
    yield draft
    for part in draft.parts:
        yield from _flat(part)


def _passage(document: Document, markdown: Markdown, outline: Outline, draft: Draft) -> Passage:
    text = document.text[draft.start : draft.end]
    first_line, last_line = markdown.line(draft.start), markdown.line(max(draft.start, draft.end - 1))
    return Passage(
        id=f"{document.id}-{draft.start}-{draft.end}",
        document_id=document.id,
        source=document.name,
        kind=draft.kind,
        text=text,
        section=outline.section.path,
        start=draft.start,
        end=draft.end,
        first_line=first_line,
        last_line=last_line,
        context="\n".join(filter(None, [_trail(outline, draft), *draft.context, " ".join(referenced_names(text))])),
        header=draft.header,
        pages=document.pages(first_line, last_line),
    )


def _trail(outline: Outline, draft: Draft) -> str:
    """The headings above the passage that do not stand in it."""
    path = outline.section.path
    inside = outline.heading is not None and draft.start <= outline.section.start
    return " / ".join(path[:-1] if inside else path)
