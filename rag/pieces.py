"""Retrieved passages cut into pieces that can be quoted: sentences, list items, table rows, statements of code."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from kb.entries import find_entry
from kb.records import Hit, Passage

PieceKind = Literal["sentence", "lead", "item", "table_row", "code", "signature", "group"]

ITEM = re.compile(r"^[ \t>]*(?:[-*+]|\d+[.)、])[ \t]+")
_DEFINITION = re.compile(r"^[ \t>]*\*\*[^*\n]+\*\*[：:][ \t]*\S")
_SENTENCE = re.compile(r"(?:[^。！？!?；\n.]|\.(?!\s))+[。！？!?；.]*[”’」』）)]*")
_SHORTENED = re.compile(r"\b(?:[A-Z]|e\.g|i\.e|vs|cf|al|Dr|Mrs?|Ms|Prof|St)\.$")
_COUNTING = re.compile(r"\b(?:[Nn]o|[Ff]ig|[Ee]q|[Vv]ol|[Ee]xt|[Tt]el|pp?)\.$")
_AFTER, _SMALL, _NUMBER = re.compile(r"\s+\w"), re.compile(r"\s+[a-z]"), re.compile(r"\s+\d")
_CLOSING = re.compile(r"[^()\n]{0,80}\)")
_HEADING = re.compile(r"^[ \t>]*#{1,6}[ \t]")
_FENCE = re.compile(r"^[ \t>]*(```+|~~~+)")
_IMAGE = re.compile(r"\s*!\[[^\]]*\]\([^)]*\)\s*$")
_ROW = re.compile(r"^[ \t]*\|.*\|[ \t]*$")
_RULE = re.compile(r"^[ \t|:\-=*_]+$")
_LEAD = re.compile(r"[：:][\s*_`]*$")
_TITLE = re.compile(r"^.{0,19}\w\s*$")
_BOLD_TITLE = re.compile(r"^[ \t>]*\*\*.{0,19}\w\*\*\s*$")
_LETTER = re.compile(r"[^\W\d_]")
_BEGINS = re.compile(r"#|//|>>>|\.\.\.|\$ ")
_INDENTED = re.compile(r"[ ]{2}|[ ]*\t")
_WRAPPED = re.compile(r"[ \t]\S")
LONGEST_CODE = 240
NEAR = 20  # characters: empty lines and the mark that opens code


@dataclass(frozen=True)
class Piece:
    """A quotable stretch of a passage: `hit.passage.text[start:end]`.

    `header` names the cells of a table's row, `lead` is the sentence that introduces the list or code that it is in.
    A lead is such a sentence itself, and a group what is quoted together, its `parts`.
    """

    hit: Hit
    start: int
    end: int
    kind: PieceKind
    header: tuple[str, ...] = ()
    lead: str = ""
    parts: tuple["Piece", ...] = ()

    @property
    def about(self) -> str:
        """What the piece is about but doesn't say: the headings above it and its lead."""
        passage = self.hit.passage
        given = [] if passage.kind == "table_row" else passage.context.split("\n")[1:]
        return "\n".join(filter(None, [" / ".join(passage.section), *given, self.lead]))

    @property
    def text(self) -> str:
        return self.hit.passage.text[self.start : self.end]

    @property
    def span(self) -> tuple[int, int]:
        """Where the piece stands in its document."""
        return self.hit.passage.start + self.start, self.hit.passage.start + self.end

    def leads_to(self, other: "Piece") -> bool:
        """Whether the other begins right below it."""
        same = self.hit.passage.document_id == other.hit.passage.document_id
        return same and 0 <= other.span[0] - self.span[1] <= NEAR

    def overlaps(self, other: "Piece") -> bool:
        """Whether both have text of their document in common."""
        if self.hit.passage.document_id != other.hit.passage.document_id:
            return False
        return max(self.span[0], other.span[0]) < min(self.span[1], other.span[1])


@dataclass(frozen=True)
class _Line:
    start: int
    end: int
    text: str

    def next_to(self, other: "_Line") -> bool:
        """Whether no empty line lies between this line and a later one."""
        return other.start == self.end + 1


def pieces(hits: Sequence[Hit]) -> list[Piece]:
    """The quotable pieces of all hits, each stretch of a document once, best hit first."""
    found: list[Piece] = []
    for hit in hits:
        for piece in _cut(hit):
            if not any(piece.overlaps(other) for other in found):
                found.append(piece)
    return found


def sentences(text: str, offset: int = 0) -> Iterator[tuple[int, int]]:
    """Spans of sentences, in order, without the white space around them, moved by `offset`; a number alone is none."""
    begin: int | None = None
    for found in _SENTENCE.finditer(text):
        begin = found.start() if begin is None else begin
        if _ends_none(text, begin, found.end()):
            continue
        start, end = _trimmed(text, begin, found.end())
        begin = None
        if _LETTER.search(text, start, end):
            yield start + offset, end + offset


def _ends_none(text: str, start: int, end: int) -> bool:
    """Whether the full stop before `end` ends no sentence: it shortens a word, or a bracket closes soon after."""
    if text[end - 1] != "." or not text[end : end + 1].isspace():
        return False
    if _SMALL.match(text, end) or (_AFTER.match(text, end) and _SHORTENED.search(text, start, end)):
        return True
    if _NUMBER.match(text, end) and _COUNTING.search(text, start, end):
        return True
    return text.count("(", start, end) > text.count(")", start, end) and bool(_CLOSING.match(text, end))


def row_cells(row: str) -> tuple[str, ...]:
    """The cells of a markdown table's row, without emphasis."""
    return tuple(cell.replace("**", "").strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|")))


def _cut(hit: Hit) -> Iterator[Piece]:
    lines = _lines(hit.passage)
    entry = find_entry(hit.passage.text)
    code = _bare_code(hit, lines)
    if code:
        yield from _statements(code)
    elif entry:
        yield _piece(hit, entry.start, entry.end, "signature")
        yield from _cut_lines(hit, [line for line in lines if line.start >= entry.end])
    else:
        yield from _cut_lines(hit, lines)


def _bare_code(hit: Hit, lines: Sequence[_Line]) -> Piece | None:
    """All of a passage that is code without fences, or with nothing but the fence that closes it."""
    fences = [number for number, line in enumerate(lines) if _FENCE.match(line.text)]
    closed = fences == [len(lines) - 1]
    if hit.passage.kind != "code" or (fences and not closed) or len(lines) == closed:
        return None
    return _piece(hit, lines[0].start, lines[-1 - closed].end, "code")


def _cut_lines(hit: Hit, lines: Sequence[_Line]) -> Iterator[Piece]:
    passage = hit.passage
    at, header, lead = 0, passage.header, ""
    while at < len(lines):
        line = lines[at]
        stop = at + 1
        if _FENCE.match(line.text):
            stop = _fence_end(lines, at)
            yield from _statements(_piece(hit, line.start, lines[stop - 1].end, "code", lead=lead))
        elif _ROW.match(line.text):
            if stop < len(lines) and _ROW.match(lines[stop].text) and _RULE.match(lines[stop].text):
                header = row_cells(line.text)
            elif not _RULE.match(line.text):
                yield _piece(hit, line.start, line.end, "table_row", header=header)
        elif ITEM.match(line.text) or _DEFINITION.match(line.text):
            stop = _item_end(lines, at)
            yield _piece(hit, line.start, lines[stop - 1].end, "item", lead=lead)
        elif _BOLD_TITLE.match(line.text) and stop < len(lines) and ITEM.match(lines[stop].text):
            lead = passage.text[line.start : line.end].strip()
        elif not (_is_heading(line, passage) or _RULE.match(line.text) or _IMAGE.match(line.text)):
            stop = _wrapped_end(lines, at)
            text = passage.text[line.start : lines[stop - 1].end].replace("\n", " ")
            leads = _LEAD.search(text) or (_TITLE.search(text) and stop < len(lines) and ITEM.match(lines[stop].text))
            said = [_piece(hit, a, b, "sentence") for a, b in sentences(text, line.start)]
            lead = said[-1].text if leads and said else ""
            yield from (said if not lead else [*said[:-1], replace(said[-1], kind="lead")])
        at = stop


def _is_heading(line: _Line, passage: Passage) -> bool:
    """Whether it is marked as a heading, or is one that has no mark in front of it."""
    return bool(_HEADING.match(line.text)) or " ".join(line.text.split()) in passage.section


def _statements(code: Piece) -> Iterator[Piece]:
    """Code as it is if it is short; else in parts, fences left out.

    A part begins after an empty line, and where a comment or a prompt follows code or output.
    """
    if len(code.text) <= LONGEST_CODE:
        yield code
        return
    parts: list[tuple[int, int]] = []
    before = ""
    for line in re.finditer(r"[^\n]+\n?|\n", code.text):
        text = line[0].strip()
        if text and not _FENCE.match(text):
            begins = bool(_BEGINS.match(text)) and not _BEGINS.match(before)
            start = line.start() if begins or not before else parts.pop()[0]
            parts.append((start, line.end()))
        before = "" if _FENCE.match(text) else text
    for first, last in parts:
        start, end = _trimmed(code.hit.passage.text, code.start + first, code.start + last)
        yield replace(code, start=start, end=end)


def _piece(hit: Hit, start: int, end: int, kind: PieceKind, **more: Any) -> Piece:
    return Piece(hit, *_trimmed(hit.passage.text, start, end), kind, **more)


def _lines(passage: Passage) -> list[_Line]:
    found = re.finditer(r"[^\n]+", passage.text)
    return [_Line(line.start(), line.end(), line[0]) for line in found if line[0].strip()]


def _fence_end(lines: Sequence[_Line], at: int) -> int:
    closing = (i for i in range(at + 1, len(lines)) if _FENCE.match(lines[i].text))
    return next(closing, len(lines) - 1) + 1


def _item_end(lines: Sequence[_Line], at: int) -> int:
    """An item goes on over the lines right below it, and further indented ones, that start nothing of their own."""
    end = at + 1
    while end < len(lines) and (_INDENTED.match(lines[end].text) or lines[end - 1].next_to(lines[end])):
        if _starts_something(lines[end].text):
            break
        end += 1
    return end


def _wrapped_end(lines: Sequence[_Line], at: int) -> int:
    """Where a line's paragraph ends if a program has broken it, so that lines begin with a space; else the line's."""
    end = at + 1
    while end < len(lines) and lines[end - 1].next_to(lines[end]) and not _starts_something(lines[end].text):
        end += 1
    return end if any(_WRAPPED.match(line.text) for line in lines[at + 1 : end]) else at + 1


def _starts_something(text: str) -> bool:
    return any(pattern.match(text) for pattern in (ITEM, _DEFINITION, _FENCE, _ROW, _HEADING))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
