"""The text of a PDF: its lines joined to paragraphs again; the entries of its outline, or large lines, as headings."""

import ctypes
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from kb.errors import InputError

__all__ = ["Line", "heading_levels", "paragraphs", "pdf_pages", "without_margins"]

FULL = 0.8  # of the usual width; a line that is shorter ends its paragraph
USUAL = 0.9  # the share of lines that are no wider than the usual width
LARGE = 1.15  # times the height of most of the text
LONGEST_HEADING = 60  # letters
MOST_HEADINGS = 0.2  # the share of all text that headings have at most, or they are none
NEAR = 2  # pages: what is repeated from one page to the next, or on every other page, belongs to none of them
MANY_PAGES = 3
DIGITS = re.compile(r"\d{1,18}")
PART = re.compile(  # what a part is counted by, and no page
    r"第\s*\d+\s*[^\s\d页頁]|(?:chapter|appendix|part|section|article|lesson|unit)\s+\d+", re.IGNORECASE
)
SENTENCE_END = re.compile(r"[。！？!?；;：:.…][”’」』）)\"']*$")
BULLET = re.compile(r"^[•●▪◦·‣∙]\s*")
NUMBERING = re.compile(r"^(?:第.{1,4}[章节条篇]|(?:chapter|appendix)\s+\w+|(?:[A-Z]\.)?[\d.]+)[:：.\s]*", re.IGNORECASE)
CONTENTS = re.compile(r"(?:(?:\.\s*){4,}|…{2,}\s*(?=\d)|·{4,}\s*)[\divxlc]*$")  # dots that lead to a page's number
BROKEN = "\ufffe"  # what PDFium has where a word was broken at the end of a line
OPENING = re.compile(r"^(?:[-*]|\(?\d+[.)、）]|[（(]?[一二三四五六七八九十]+[、）)]|第.{1,4}[章节条]|\\?#)")
WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")


@dataclass(frozen=True)
class Line:
    """A line of a page, and how high its letters are set, in points."""

    text: str
    height: float


def pdf_pages(data: bytes) -> list[str]:
    """The text of each page, as Markdown.

    Raises:
        InputError: it needs a password.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as problem:
        if "password" in str(problem).lower():
            raise InputError("it needs a password. Save it without one.") from problem
        raise
    try:
        outline = {
            (place.get_index(), _title(entry.get_title())): entry.level + 1
            for entry in document.get_toc()
            if (place := entry.get_dest()) is not None
        }
        pages = without_margins([_lines(document[number]) for number in range(len(document))])
    finally:
        document.close()
    by_height = {} if outline else heading_levels([line for lines in pages for line in lines])
    return [
        paragraphs([_marked(line, outline.get((n, _title(line.text))) or by_height.get(line.height)) for line in lines])
        for n, lines in enumerate(pages)
    ]


def heading_levels(lines: Sequence[Line]) -> dict[float, int]:
    """The levels of headings by their height, told by being higher than most of the text and short."""
    letters = _letters(lines)
    longest: Counter[float] = Counter()
    for line in lines:
        longest[line.height] = max(longest[line.height], len(line.text))
    large = [height for height in letters if _is_large(height, letters) and longest[height] <= LONGEST_HEADING]
    if sum(letters[height] for height in large) > MOST_HEADINGS * letters.total():
        return {}
    return {height: level for level, height in enumerate(sorted(large, reverse=True), 1)}


def without_margins(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """The lines of each page without a first and last line that a page near by has too, but for the page's number."""
    kept = [list(lines) for lines in pages]
    if len(kept) < MANY_PAGES:
        return kept
    letters = _letters([line for lines in pages for line in lines])
    for edge in (0, -1):
        edges = [lines[edge] if lines else None for lines in kept]
        for n, line in enumerate(edges):
            if line and _is_margin(line, n, edges, letters):
                del kept[n][edge]
    return kept


def _is_margin(line: Line, n: int, edges: Sequence[Line | None], letters: Counter[float]) -> bool:
    """Whether the line at an edge of page n repeats, or counts on, what stands there on a page near by.

    Titles stay: a large one that counts on from one before it, and a part's where it is told first.
    """
    for near in range(max(n - NEAR, 0), min(n + NEAR + 1, len(edges))):
        other = edges[near]
        if near == n or other is None or abs(other.height - line.height) > 1:
            continue
        if other.text == line.text:
            if near < n or not PART.match(line.text):
                return True
        elif DIGITS.sub("0", other.text) == DIGITS.sub("0", line.text):
            numbers_alone = not any(map(str.isalpha, line.text))
            title = _is_large(line.height, letters) or _part(line.text) != _part(other.text)
            if numbers_alone or (not title and _difference(line.text, other.text) == {near - n}):
                return True
    return False


def _part(text: str) -> str:
    found = PART.match(text)
    return found[0] if found else ""


def _difference(text: str, other: str) -> set[int]:
    """By how much the numbers of another text are higher, where they are not the same."""
    return {int(b) - int(a) for a, b in zip(DIGITS.findall(text), DIGITS.findall(other), strict=True)} - {0}


def _letters(lines: Sequence[Line]) -> Counter[float]:
    """How many letters are set how high."""
    letters: Counter[float] = Counter()
    for line in lines:
        letters[line.height] += len(line.text)
    return letters


def _is_large(height: float, letters: Counter[float]) -> bool:
    """Whether that is higher than most letters are."""
    return height > LARGE * max(letters, key=letters.__getitem__)


def paragraphs(lines: Sequence[str]) -> str:
    """Lines as they stand on a page, joined where a paragraph goes on; paragraphs are set apart by empty lines."""
    widths = sorted(_width(line) for line in lines)
    usual = widths[math.ceil(USUAL * len(widths)) - 1] if widths else 0
    joined = "".join(line + _between(line, after, usual) for line, after in pairwise([*lines, ""]))
    return joined.strip()


def _lines(page: Any) -> list[Line]:
    text = page.get_textpage()
    try:
        found, read = [], 0
        for piece in text.get_text_range().splitlines(keepends=True):
            if (line := piece.replace(BROKEN, "").strip()) and not CONTENTS.search(line):
                heights = [_height(text, place) for place in range(read, read + len(piece.rstrip()))]
                found.append(Line(line, round(median(heights))))
            read += len(piece)
        return found
    finally:
        text.close()
        page.close()


def _height(text: Any, place: int) -> float:
    from pypdfium2 import raw

    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text.raw, place, ctypes.byref(box))
    return float(box.top - box.bottom)


def _marked(line: Line, level: int | None) -> str:
    """A line as Markdown: a heading of this level, if any; else what it says, and no heading."""
    if level:
        return f"{'#' * min(level, 6)} {line.text}"
    return re.sub("^#", r"\#", BULLET.sub("- ", line.text))


def _between(line: str, after: str, usual: int) -> str:
    """What stands between two lines when paragraphs are joined."""
    if line.startswith("#") or _width(line) < FULL * usual or SENTENCE_END.search(line) or OPENING.match(after):
        return "\n\n"
    if WIDE.match(line[-1:]) or WIDE.match(after):
        return ""
    return " "


def _width(line: str) -> int:
    """How wide a line is set, in letters."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def _title(text: str) -> str:
    """A heading as it is told again: without its number, white space and case."""
    return "".join(NUMBERING.sub("", text.strip()).split()).casefold()
