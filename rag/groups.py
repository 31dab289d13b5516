"""Pieces that answer only together: a whole list with what leads it in, code with the sentence that explains it."""

import re
from collections.abc import Iterator, Mapping, Sequence

from kb.terms import terms
from kb.variants import variants_of
from rag.answerable import asks_for_one
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


def needed(question: str, found: Sequence[Piece]) -> list[Piece]:
    """The pieces without those lists of which one item answers, where one thing is asked for; that item stays.

    It alone has all words of the question that the list has and that do not stand above it.
    """
    if not asks_for_one(question):
        return list(found)
    ways = {term: {term, *(variant for variant, _ in variants_of(term))} for term in terms(question)}
    beside = {piece.span for group in found if group.kind == "group" for piece in _beside_the_answer(ways, group)}
    return [piece for piece in found if piece.span not in beside]


def _beside_the_answer(ways: Mapping[str, set[str]], group: Piece) -> list[Piece]:
    """The list and its items but for the only one that answers, if there is such a one."""
    items = [part for part in group.parts if part.kind == "item"]
    if len(items) < 2:
        return []
    above = _said(ways, f"{group.about}\n{items[0].lead}")
    said = [_said(ways, item.text) - above for item in items]
    together = set().union(*said)
    if not together or said.count(together) != 1:
        return []
    return [group, *(item for item, its in zip(items, said, strict=True) if its != together)]


def _said(ways: Mapping[str, set[str]], text: str) -> set[str]:
    """The terms that a text has, in one way or another."""
    held = set(terms(text))
    return {term for term, spelt in ways.items() if not spelt.isdisjoint(held)}


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
