"""List items that say something of a name: `**name**: text`, `name (type) — text`, a name above its text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markdown_it.tree import SyntaxTreeNode

from ingest.markdown import LISTS, Markdown, plain
from kb.entries import put_together, without_references
from kb.records import Cell

# Names without marks are told from sentences by being short and alone in front of a colon or dash, several times.
LONGEST_PLAIN_NAME = 30
FEWEST, FEWEST_PLAIN = 2, 3

_MARKER = re.compile(r"(?:[-*+]|\d+[.)])\s+")
_MARKED = re.compile(
    r"(?P<mark>\*\*|__|`++)(?P<name>(?:(?!(?P=mark))[^\n])*?(?!(?P=mark))\S)[^\S\n]*(?P<colon>[：:])?(?P=mark)|\[(?P<label>[^\[\]\n]+)\]\([^()\s]*\)"
)
_NO_NAME = r"\n：:。！？；，,*`|()（）\[\]<>"
_PLAIN = re.compile(
    rf"(?P<name>[^\s{_NO_NAME}][^{_NO_NAME}]{{0,{LONGEST_PLAIN_NAME - 1}}}?)(?=\s*[：:(（]|\s+[—–-]+\s)"
)
_SEPARATOR = re.compile(r"\s*(?:[：:](?![/\\])|[—–]+|-{1,2}(?=\s))\s*|[^\S\n]*\\?\n\s*|[^\S\n]{2,}")
_OPEN, _CLOSE = "（(", "）)"
_LINE_MARK = re.compile(r"^[^\S\n]*(?:[-*+]|\d+[.)])[^\S\n]+", re.MULTILINE)


@dataclass(frozen=True)
class Item:
    """A name and what is said of it, `type` first if that stands in brackets; `marked` if the name is set apart."""

    name: Cell
    type: Cell | None
    text: Cell
    marked: bool
    start: int
    end: int


def list_items(markdown: Markdown, node: SyntaxTreeNode) -> list[Item] | None:
    """The items of a list; None unless each of them says something of another name."""
    items = [parse_item(markdown.text, *markdown.span(item)) for item in node.children]
    found = [item for item in items if item]
    return found if len(found) == len(items) and _say_something(found) else None


def paragraph_items(markdown: Markdown, node: SyntaxTreeNode) -> list[Item] | None:
    """The lines of a paragraph, if each of them defines another name that is set apart."""
    if node.type != "paragraph" or node.map is None:
        return None
    borders = markdown.line_starts[node.map[0] : node.map[1] + 1]
    spans = [markdown.trim(start, end) for start, end in pairwise(borders)]
    items = [parse_item(markdown.text, start, end) for start, end in spans]
    found = [item for item in items if item and item.marked]
    return found if len(found) == len(items) and _say_something(found) else None


def nested_items(markdown: Markdown, node: SyntaxTreeNode) -> Iterator[tuple[Cell, list[Item]]]:
    """Each item of a list that holds nothing but a name and a list of what is said of it."""
    for item in node.children:
        if len(item.children) == 2 and item.children[1].type in LISTS:
            start, end = markdown.trim(markdown.span(item)[0], markdown.span(item.children[1])[0])
            start = _after_marker(markdown.text, start, end)
            inner = list_items(markdown, item.children[1])
            if inner:
                yield cell(markdown.text, start, end), inner


def cell(text: str, start: int, end: int) -> Cell:
    """The cell that stands at [start, end), as it reads on one line; list marks in it are left out."""
    source = text[start:end]
    if "\n" in source:
        source = put_together(_LINE_MARK.sub(" ", without_references(source)))
    return Cell(plain(source).rstrip("：: "), start, end)


def parse_item(text: str, start: int, end: int) -> Item | None:
    """The item at [start, end), its mark included; None if it isn't a name with something said of it."""
    begin = _after_marker(text, start, end)
    found = _MARKED.match(text, begin, end) or _PLAIN.match(text, begin, end)
    if found is None:
        return None
    marked = found.re is _MARKED
    name = cell(text, *found.span("name" if found["name"] else "label"))
    at, kind = found.end(), None
    bracket = _bracket(text, at, end)
    if bracket and _SEPARATOR.match(text, bracket[1] + 1, end):
        kind, at = cell(text, bracket[0] + 1, bracket[1]), bracket[1] + 1
    separator = _SEPARATOR.match(text, at, end)
    colon = marked and found["colon"]
    if not name.text or not (separator or colon):
        return None
    at = separator.end() if separator else at + len(text[at:end]) - len(text[at:end].lstrip())
    said = cell(text, at, end)
    return Item(name, kind, said, marked, start, end) if any(map(str.isalnum, said.text)) else None


def _after_marker(text: str, start: int, end: int) -> int:
    marker = _MARKER.match(text, start, end)
    return marker.end() if marker else start


def _bracket(text: str, at: int, end: int) -> tuple[int, int] | None:
    """Where the bracket that opens at `at`, after white space, opens and closes; wide and narrow ones are alike."""
    opening = at + len(text[at:end]) - len(text[at:end].lstrip())
    depth = 0
    for place in range(opening, end):
        depth += (text[place] in _OPEN) - (text[place] in _CLOSE)
        if depth == 0:
            return (opening, place) if place > opening else None
    return None


def _say_something(items: Sequence[Item]) -> bool:
    enough = FEWEST if all(item.marked for item in items) else FEWEST_PLAIN
    return len(items) >= enough and len({item.name.text for item in items}) == len(items)
