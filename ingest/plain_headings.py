"""Headings of plain texts (`.txt`), which have no marks, told by their form: 第一章, 一、, 【食材】, Chapter 2."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from markdown_it.token import Token

__all__ = ["with_plain_headings"]

LONGEST = 40  # letters
FEWEST = 2  # of a form; one alone may be anything
TITLE = "title"
FORMS = {
    "part": re.compile(r"第[\d一二三四五六七八九十百]{1,4}[编篇部]"),
    "chapter": re.compile(r"第[\d一二三四五六七八九十百]{1,4}章|(?:chapter|appendix)\s+\w+", re.IGNORECASE),
    "section": re.compile(r"第[\d一二三四五六七八九十百]{1,4}节|section\s+\w+", re.IGNORECASE),
    "counted": re.compile(r"[一二三四五六七八九十]{1,3}、"),
    "bracketed": re.compile(r"【[^】]+】$"),
}
SENTENCE_END = re.compile(r"[。！？!?；;：:，,.…]$")


def with_plain_headings(tokens: Sequence[Token]) -> list[Token]:
    """The tokens of a text's blocks, its title and the lines that read as headings being ones.

    A text that has headings by the rules of Markdown keeps those alone.
    """
    if any(token.type == "heading_open" for token in tokens):
        return list(tokens)
    first_lines = [(_first_line(block), block) for block in _blocks(tokens)]
    forms = Counter(form for line, _ in first_lines if (form := _form(line)))
    forms = Counter({form: count for form, count in forms.items() if count >= FEWEST})
    levels = {form: level for level, form in enumerate((form for form in FORMS if form in forms), 2)}
    found: list[Token] = []
    for number, (line, block) in enumerate(first_lines):
        form = _form(line)
        if number == 0 and _is_title(line, block):
            found += _heading(line, block, 1)
        elif form in levels and not _goes_on_counting(form, block):
            found += [*_heading(line, block, levels[form]), *_rest(block)]
        else:
            found += block
    return found


def _blocks(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """The tokens of each block that stands in no other."""
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


def _first_line(block: Sequence[Token]) -> str:
    """The first line of a paragraph, or of what is set in from the left as titles are; else nothing."""
    if block[0].type == "code_block":
        return block[0].content.strip()
    return block[1].content.split("\n")[0].strip() if block[0].type == "paragraph_open" else ""


def _form(line: str) -> str | None:
    if not 0 < len(line) <= LONGEST or SENTENCE_END.search(line):
        return None
    return next((form for form, pattern in FORMS.items() if pattern.match(line)), None)


def _is_title(line: str, block: Sequence[Token]) -> bool:
    return 0 < len(line) <= LONGEST and len(_lines(block)) == 1 and not SENTENCE_END.search(line)


def _goes_on_counting(form: str, block: Sequence[Token]) -> bool:
    """Whether the lines right below are of the same form: a list, or a table of contents."""
    return any(_form(one.strip()) == form == _form(other.strip()) for one, other in pairwise(_lines(block)))


def _lines(block: Sequence[Token]) -> list[str]:
    content = block[0].content if block[0].type == "code_block" else block[1].content
    return content.strip("\n").split("\n")


def _heading(line: str, block: Sequence[Token], level: int) -> list[Token]:
    begin = (block[0].map or [0])[0]
    lines = [begin, begin + 1]
    tag = f"h{level}"
    inline = Token("inline", "", 0, map=lines, level=1, content=line, children=[])
    opening = Token("heading_open", tag, 1, map=lines, markup="#", block=True)
    return [opening, inline, Token("heading_close", tag, -1, markup="#", block=True)]


def _rest(block: Sequence[Token]) -> list[Token]:
    """The paragraph below its first line, if there is more of it."""
    opening, inline, closing = block
    _, newline, content = inline.content.partition("\n")
    if not newline or opening.map is None:
        return []
    lines = [opening.map[0] + 1, opening.map[1]]
    return [opening.copy(map=lines), inline.copy(map=lines, content=content), closing]
