"""The text of a PDF: its lines joined to paragraphs again, the entries of its outline as headings."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from kb.errors import InputError

__all__ = ["paragraphs", "pdf_text", "without_margins"]

FULL = 0.8  # of the usual width; a line that is shorter ends its paragraph
USUAL = 0.9  # the share of lines that are no wider than the usual width
MANY_PAGES = 3
REPEATED = 0.5  # the share of pages on which a first or last line stands that belongs to none of them
DIGITS = re.compile(r"\d+")
SENTENCE_END = re.compile(r"[。！？!?；;：:.…][”’」』）)\"']*$")
OPENING = re.compile(r"^(?:[-•●▪◦·*]|\(?\d+[.)、）]|[（(]?[一二三四五六七八九十]+[、）)]|第.{1,4}[章节条]|#)")
WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")


def pdf_text(data: bytes) -> str:
    """The text of all pages, as Markdown.

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
        titles: dict[int, list[tuple[str, int]]] = {}
        for entry in document.get_toc():
            if (place := entry.get_dest()) is not None and place.get_index() is not None:
                titles.setdefault(place.get_index(), []).append((entry.get_title(), entry.level + 1))
        pages = without_margins([_lines(document, number) for number in range(len(document))])
    finally:
        document.close()
    return "\n\n".join(paragraphs(_with_headings(lines, titles.get(n, ()))) for n, lines in enumerate(pages))


def without_margins(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """The lines of each page without a first and last line that most pages have, but for a number in it."""
    kept = [list(lines) for lines in pages]
    if len(kept) < MANY_PAGES:
        return kept
    for edge in (0, -1):
        seen = Counter(_margin(lines[edge]) for lines in kept if lines)
        for lines in kept:
            if lines and seen[_margin(lines[edge])] > REPEATED * len(kept):
                del lines[edge]
    return kept


def paragraphs(lines: Sequence[str]) -> str:
    """Lines as they stand on a page, joined where a paragraph goes on; paragraphs are set apart by empty lines."""
    widths = sorted(_width(line) for line in lines)
    usual = widths[math.ceil(USUAL * len(widths)) - 1] if widths else 0
    joined = "".join(line + _between(line, after, usual) for line, after in pairwise([*lines, ""]))
    return joined.strip()


def _lines(document: Any, number: int) -> list[str]:
    page = document[number]
    text = page.get_textpage()
    try:
        return [line.strip() for line in text.get_text_range().splitlines() if line.strip()]
    finally:
        text.close()
        page.close()


def _with_headings(lines: Sequence[str], titles: Sequence[tuple[str, int]]) -> list[str]:
    """The lines, with those that are an entry of the outline as headings of its level."""
    levels = {_plain(title): level for title, level in titles}
    return [f"{'#' * min(levels[_plain(line)], 6)} {line}" if _plain(line) in levels else line for line in lines]


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


def _margin(line: str) -> str:
    return DIGITS.sub("0", line)


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()
