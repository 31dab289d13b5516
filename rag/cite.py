"""Citations: where exactly in which document a quoted piece stands, and whether any of it had to be inferred."""

from bisect import bisect_left

from kb.records import Citation, Document
from rag.pieces import Piece


def cite(n: int, piece: Piece, document: Document) -> Citation:
    """The nth citation; its quote is `document.text[start:end]`, to the letter."""
    passage = piece.hit.passage
    start, end = piece.span
    first_line = document.text.count("\n", 0, start) + 1
    lines = (first_line, first_line + document.text.count("\n", start, end))
    return Citation(
        n=n,
        quote=document.text[start:end],
        source=document.name,
        section=passage.section,
        start=start,
        end=end,
        lines=lines,
        restored=lowest_confidence(document, start, end),
        pages=document.pages(*lines),
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
