"""Citations: where exactly in which document a quoted piece stands, and whether any of it had to be inferred."""

from bisect import bisect_left
from collections.abc import Callable
from functools import cache

from kb.errors import NotFoundError
from kb.records import Citation, Document
from rag.pieces import Piece


def reading(document: Callable[[str], Document]) -> Callable[[str], Document | None]:
    """Reads each document once, for a large one takes a while; None for one that was deleted since it was found."""

    def read(document_id: str) -> Document | None:
        try:
            return document(document_id)
        except NotFoundError:
            return None

    return cache(read)


def cite(n: int, piece: Piece, document: Document | None) -> Citation:
    """The nth citation, to the letter as the passage has it.

    `document` tells what in it was inferred and its page, if it still has the text there: it may have been replaced or
    deleted since it was searched.
    """
    passage = piece.hit.passage
    start, end = piece.span
    first_line = passage.first_line + passage.text.count("\n", 0, piece.start)
    lines = (first_line, first_line + piece.text.count("\n"))
    there = document is not None and document.text[start:end] == piece.text
    return Citation(
        n=n,
        quote=piece.text,
        source=passage.source,
        section=passage.section,
        start=start,
        end=end,
        lines=lines,
        restored=lowest_confidence(document, start, end) if document and there else None,
        pages=document.pages(*lines) if document and there else passage.pages,
    )


def lowest_confidence(document: Document, start: int, end: int) -> float | None:
    """The lowest confidence among the inferred characters in `[start, end)`, None when there are none."""
    first = bisect_left(document.repairs, start + 1, key=lambda repair: repair.end)
    inside = []
    for repair in document.repairs[first:]:
        if repair.start >= end:
            break
        inside.append(repair.confidence)
    return min(inside, default=None)
