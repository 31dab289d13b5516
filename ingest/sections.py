"""Markdown into sections: which headings every stretch of a text stands under."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.tree import SyntaxTreeNode

from ingest.markdown import Markdown, paragraph_texts, parse, plain
from kb.records import Section

# A setext underline below a whole paragraph makes it a heading by the letter of CommonMark, hardly by intent.
LONGEST_TITLE = 200
LONGEST_IMPLIED_TITLE = 60


@dataclass(frozen=True)
class Outline:
    """One section with the top-level blocks under its heading; `heading` is None before the first one."""

    section: Section
    heading: SyntaxTreeNode | None
    blocks: tuple[SyntaxTreeNode, ...]


def split_sections(text: str) -> list[Section]:
    """The sections of a Markdown text, in order; together they cover it without overlap.

    Text before the first heading is a section with an empty path. A heading without a title, as machine-made pages
    have them, takes the short paragraphs below it for one.
    """
    return [outline.section for outline in outlines(parse(text))]


def outlines(markdown: Markdown) -> list[Outline]:
    """The sections of a parsed text together with their blocks."""
    found: list[Outline] = []
    trail: list[tuple[int, str]] = []
    groups = list(_by_heading(markdown.root.children))
    if groups[0][0] and markdown.text[: _line_start(markdown, groups[0][0])].strip():
        groups.insert(0, (None, []))
    starts = [0, *(_line_start(markdown, blocks[0]) for _, blocks in groups[1:])]
    for (heading, blocks), start, end in zip(groups, starts, [*starts[1:], len(markdown.text)], strict=True):
        level = int(heading.tag[1]) if heading else 0
        below = blocks[1:] if heading else blocks
        if heading:
            trail = [(depth, title) for depth, title in trail if depth < level]
            trail.append((level, _title(heading, below)))
        path = tuple(title for _, title in trail if title)
        found.append(Outline(Section(path, level, start, end), heading, tuple(below)))
    return found


def is_heading(node: SyntaxTreeNode) -> bool:
    return node.type == "heading" and len(node.children[0].content) <= LONGEST_TITLE


def _by_heading(nodes: Sequence[SyntaxTreeNode]) -> Iterator[tuple[SyntaxTreeNode | None, list[SyntaxTreeNode]]]:
    """Each heading with itself and the blocks up to the next; first, under None, what stands before them all."""
    heading: SyntaxTreeNode | None = None
    group: list[SyntaxTreeNode] = []
    for node in nodes:
        if is_heading(node):
            if group:
                yield heading, group
            heading, group = node, [node]
        else:
            group.append(node)
    yield heading, group


def _title(heading: SyntaxTreeNode, below: Sequence[SyntaxTreeNode]) -> str:
    return plain(heading.children[0].content) or _implied_title(below)


def _implied_title(below: Sequence[SyntaxTreeNode]) -> str:
    """The paragraphs right below, up to one that is long or opens a bracket (`[<source>]`, a signature)."""
    parts: list[str] = []
    for text in paragraph_texts(below):
        if len(text) > LONGEST_IMPLIED_TITLE or text.lstrip()[:1] in "[(（<":
            break
        parts.append(plain(text))
    title = " ".join(parts)
    return title if len(title) <= LONGEST_IMPLIED_TITLE else parts[0]


def _line_start(markdown: Markdown, node: SyntaxTreeNode) -> int:
    return markdown.line_starts[node.map[0]] if node.map else 0
