"""Markdown as a tree whose nodes know where they stand in the text, to the code point."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from ingest.plain_headings import with_plain_headings
from kb.records import Document

# CommonMark's line endings, and no others: U+2028, form feeds and the like stay inside a line.
LINE_END = re.compile(r"\r\n?|\n")
FRONT_MATTER = re.compile(
    r"\A\ufeff?(?P<fence>---|\+\+\+)[ \t]*(?:\r\n?|\n)[\w-]+\s*[:=].*?(?:\r\n?|\n)(?P=fence)[ \t]*(?=\r|\n|\Z)",
    re.DOTALL,
)
UNDERLINE = re.compile(r"(?:(?<=\S\n)|(?<=\S\r\n)|(?<=\S\r))([~^\"'+*#`:._])\1{2,}[ \t]*(?=[\r\n]|\Z)")
IMAGE = re.compile(r"!\[([^\[\]]*)\]\([^()]*\)")
LINK_TARGET = re.compile(r"\]\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)")
BARE_LINK = re.compile(r"<?https?://[^\s<>，。；）)]+>?")
LISTS = {"bullet_list", "ordered_list"}
WHITESPACE = re.compile(r"\s+")
MARKS = re.compile(r"[\\*_`\[\]!&<\x00]")  # without any of them a text reads as it is written


@dataclass(frozen=True)
class Markdown:
    """A parsed text. `line_starts` holds the offset of every line's first character, and the text's length last."""

    text: str
    root: SyntaxTreeNode
    line_starts: tuple[int, ...]

    def span(self, node: SyntaxTreeNode) -> tuple[int, int]:
        """The node's code points [start, end), from its first line to its last, without white space around them."""
        first, end = node.map or (0, 0)
        return self.trim(self.line_starts[first], self.line_starts[min(end, len(self.line_starts) - 1)])

    def source(self, node: SyntaxTreeNode) -> str:
        """The text in the node's span."""
        start, end = self.span(node)
        return self.text[start:end]

    def trim(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) without the white space at both ends."""
        piece = self.text[start:end]
        start += len(piece) - len(piece.lstrip())
        return start, start + len(piece.strip())

    def line(self, offset: int) -> int:
        """The line, counted from 1, that the character at `offset` stands on."""
        return min(bisect_right(self.line_starts, offset), len(self.line_starts) - 1)


def parse_document(document: Document) -> Markdown:
    """A document's block structure."""
    name = document.name.lower()
    return parse(document.text, restructured=name.endswith(".rst"), unmarked=name.endswith(".txt"))


@lru_cache(maxsize=1)  # several parts of ingest look at the same text, one after the other
def parse(text: str, *, restructured: bool = False, unmarked: bool = False) -> Markdown:
    """The block structure of `text`: CommonMark with tables; front matter is no Markdown and is left out.

    In reStructuredText (`restructured`) other marks than = and - underline headings too; the rest reads as Markdown. In
    a plain text (`unmarked`) lines that read as headings are ones.
    """
    blanked = FRONT_MATTER.sub(lambda found: re.sub(r"[^\r\n]", " ", found[0]), text, count=1)
    if restructured:
        blanked = UNDERLINE.sub(lambda found: "-" * len(found[0]), blanked)
    starts = [0, *(found.end() for found in LINE_END.finditer(text))]
    if starts[-1] != len(text):
        starts.append(len(text))
    tokens = _block_parser().parse(blanked)
    root = SyntaxTreeNode(with_plain_headings(tokens) if unmarked else tokens)
    _nest_lists(root)
    return Markdown(text, root, tuple(starts))


def _nest_lists(node: SyntaxTreeNode) -> None:
    """Puts a list with marks of its own, right between two with the same marks, into the item above it.

    To CommonMark these are three lists; pages that a program converted mean one, with a list in one of its items.
    """
    kept: list[SyntaxTreeNode] = []
    for child in node.children:
        before = kept[-2:]
        if child.type in LISTS and [one.type in LISTS for one in before] == [True, True] and _alike(before[0], child):
            outer, inner = before
            item = outer.children[-1]
            item.children.append(inner)
            outer.children.extend(child.children)
            _extend(item, inner)
            _extend(outer, child)
            kept.pop()
        else:
            kept.append(child)
    node.children = kept
    for child in kept:
        _nest_lists(child)


def _alike(one: SyntaxTreeNode, other: SyntaxTreeNode) -> bool:
    return (one.type, one.markup) == (other.type, other.markup)


def _extend(node: SyntaxTreeNode, last: SyntaxTreeNode) -> None:
    """Makes a node end where its new last part ends."""
    if node.nester_tokens and node.map and last.map:
        node.nester_tokens.opening.map = [node.map[0], last.map[1]]


@lru_cache(maxsize=1 << 12)
def plain(source: str) -> str:
    """What a reader sees of one heading or paragraph: no marks, no escapes, no link targets, one space for a break."""
    if not MARKS.search(source):
        return WHITESPACE.sub(" ", source).strip()
    inline = _inline_parser().parseInline(source)[0]
    words = ["".join(_visible(token.type, token.content) for token in inline.children or [])]
    return WHITESPACE.sub(" ", " ".join(words)).strip()


def visible_size(text: str) -> int:
    """How much there is to read: characters without link targets, a run of white space counted once."""
    return len(WHITESPACE.sub(" ", LINK_TARGET.sub("]", text)))


def has_words(text: str) -> bool:
    """Whether anything is left to read once images without a description and table rules are gone."""
    return any(map(str.isalnum, IMAGE.sub(r"\1", text)))


def only_links(text: str, *, inside: bool = False) -> bool:
    """Whether the text is nothing but bare links, or, with `inside`, links to places in its own document."""
    pattern = re.compile(r"\[[^\]]*\]\(#[^)]*\)") if inside else BARE_LINK
    rest, found = pattern.subn("", text)
    return found > 0 and not any(map(str.isalnum, re.sub(r"(?m)^\s*\d+[.)]", "", rest)))


def paragraph_texts(nodes: Iterable[SyntaxTreeNode]) -> list[str]:
    """The source of each paragraph among `nodes`, up to the first node that is none."""
    texts = []
    for node in nodes:
        if node.type != "paragraph":
            break
        texts.append(node.children[0].content)
    return texts


@cache
def _block_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


@cache
def _inline_parser() -> MarkdownIt:
    return MarkdownIt("commonmark")


def _visible(kind: str, content: str) -> str:
    return " " if kind in {"softbreak", "hardbreak"} else "" if kind == "html_inline" else content
