"""The blocks that passages are made of, and what a passage looks like before it gets its name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from markdown_it.tree import SyntaxTreeNode

from ingest.markdown import LISTS, Markdown, has_words, only_links, plain, visible_size
from ingest.tables_items import paragraph_items
from kb.records import PassageKind

# Sizes count what there is to read (`visible_size`). A passage that is shown to a reader or a model should hold one
# thought: PROSE is where several paragraphs, or a list with its lead, stop being one; WHOLE is how much a table, list
# or code block may hold before only its parts are kept; SMALL is too little to stand alone.
PROSE = 350
WHOLE = 800
SMALL = 60
LEAD = 160

# Where a long stretch may be cut, best first: an empty line, a line, a sentence, a clause, a word.
CUTS = tuple(
    re.compile(pattern)
    for pattern in (r"\n[^\S\n]*\n\s*", r"\n+", r"(?<=[。！？!?；;])|(?<=\.)\s+", r"(?<=[，、,])", r"\s+")
)


@dataclass(frozen=True)
class Block:
    """A paragraph, list, code block or table with its span in the text; lines of definitions are a list."""

    kind: PassageKind
    node: SyntaxTreeNode
    start: int
    end: int


@dataclass(frozen=True)
class Draft:
    """A passage to be. `context` is what helps to find it; `parts` are passages that stand inside its span.

    `header` holds the cells of a table's header, for the table and for each of its rows.
    """

    kind: PassageKind
    start: int
    end: int
    context: tuple[str, ...] = ()
    parts: tuple["Draft", ...] = ()
    header: tuple[str, ...] = ()

    def under(self, *context: str) -> "Draft":
        """The same draft, and its parts, with more context in front."""
        parts = tuple(part.under(*context) for part in self.parts)
        return replace(self, context=(*context, *self.context), parts=parts)


def blocks_of(markdown: Markdown, nodes: Sequence[SyntaxTreeNode]) -> list[Block]:
    """The blocks among `nodes` that hold something to read; block quotes are opened, tables of contents left out."""
    return list(_blocks(markdown, nodes))


def short_bullet(markdown: Markdown, block: Block) -> bool:
    """Whether the block is a list of one plain line: a bullet that serves as a heading."""
    items = block.node.children
    return (
        block.node.type in LISTS
        and len(items) == 1
        and len(items[0].children) == 1
        and size(markdown, block.start, block.end) <= LEAD
    )


def size(markdown: Markdown, start: int, end: int) -> int:
    return visible_size(markdown.text[start:end])


def last_sentence(text: str) -> str:
    """The end of a paragraph that leads over to what follows it, as plain text."""
    return re.split(r"(?<=[。！？!?；;])\s*(?=\S)", plain(text))[-1][-LEAD:]


def cut(markdown: Markdown, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
    """[start, end) in pieces of at most `limit` characters to read, cut at the best borders that allow it."""
    if size(markdown, start, end) <= limit or end - start < 2:
        yield start, end
        return
    middle = start + _best_cut(markdown.text[start:end], limit)
    for piece in ((start, middle), (middle, end)):
        trimmed = markdown.trim(*piece)
        if trimmed[0] < trimmed[1]:
            yield from cut(markdown, *trimmed, limit)


def _best_cut(piece: str, limit: int) -> int:
    """Where to cut `piece` in two: the border of the best sort that is nearest to the middle, leaving no crumbs."""
    crumb = min(limit, len(piece)) // 4
    for pattern in CUTS:
        borders = [found.end() for found in pattern.finditer(piece) if crumb <= found.end() <= len(piece) - crumb]
        if borders:
            return min(borders, key=lambda border: abs(border - len(piece) // 2))
    return len(piece) // 2


def _blocks(markdown: Markdown, nodes: Sequence[SyntaxTreeNode]) -> Iterator[Block]:
    for node in nodes:
        if node.type == "blockquote":
            yield from _blocks(markdown, node.children)
            continue
        start, end = markdown.span(node)
        source = markdown.text[start:end]
        if node.type != "hr" and has_words(source) and not only_links(source, inside=True):
            yield Block(_kind(markdown, node), node, start, end)


def _kind(markdown: Markdown, node: SyntaxTreeNode) -> PassageKind:
    match node.type:
        case "paragraph" if paragraph_items(markdown, node):
            return "list"  # definitions, a line each
        case "bullet_list" | "ordered_list":
            return "list"
        case "fence" | "code_block":
            return "code"
        case "table":
            return "table"
        case _:
            return "prose"
