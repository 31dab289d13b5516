"""Pieces that answer only together: a whole list with what leads it in, code with the sentence that explains it."""

import re
from collections.abc import Iterator, Sequence

from rag.pieces import Piece

LONGEST = 280
SHORTEST_LEAD = 12
_BETWEEN = re.compile(r"^[ \t>]*(?:```|~~~)\w*[ \t]*$|\s+", flags=re.MULTILINE)


def with_groups(found: Sequence[Piece]) -> list[Piece]:
    """The pieces and, before its first one, a piece for every group of them that is short enough to be quoted whole.

    What only leads a group in is no piece of its own any more.
    """
    together: list[Piece] = []
    for run in _runs(found):
        first, last = run[0], run[-1]
        if len(run) > 1 and last.end - first.start <= LONGEST:
            together.append(Piece(first.hit, first.start, last.end, "group", lead=first.lead, parts=tuple(run)))
            together += [piece for piece in run if piece.kind != "lead"]
        else:
            together += [piece for piece in run if piece.kind != "lead" or len(piece.text) >= SHORTEST_LEAD]
    return together


def _runs(found: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Pieces that belong together: a lead with the list or code below it, the items of a list, the parts of code."""
    run: list[Piece] = []
    for piece in found:
        if run and not _goes_on(run[-1], piece):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _goes_on(last: Piece, piece: Piece) -> bool:
    if last.hit is not piece.hit or _BETWEEN.sub("", last.hit.passage.text[last.end : piece.start]):
        return False
    if last.kind == "lead":
        return piece.kind in {"item", "code"}
    return piece.kind == last.kind in {"item", "code"} and piece.lead == last.lead
