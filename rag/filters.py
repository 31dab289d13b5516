"""Which passages a search may find: those of some documents, under a heading, of some kinds."""

import unicodedata
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kb.analysed import Analysed
from kb.records import Filter

__all__ = ["Sieve"]


class Sieve:
    """Holds a search of these passages to what a filter allows.

    What the passages are is looked up when the first filter asks for it: all are parsed for that.
    """

    def __init__(self, passages: Analysed) -> None:
        self._passages = passages

    def allowed(self, within: Filter | None) -> NDArray[np.bool_] | None:
        """For each of the passages [passages] whether it may be found; None if all may."""
        if within is None or within == Filter():
            return None
        mask = np.ones(len(self._passages), bool)
        if within.documents is not None:
            mask[:] = False
            for document in within.documents:
                numbers = self._documents.get(document, range(0))
                mask[numbers.start : numbers.stop] = True
        if within.kinds is not None:
            mask &= np.isin(self._kinds, list(within.kinds))
        if wanted := _plain(within.section or ""):
            trails, trail_of = self._trails
            mask &= np.array([any(wanted in heading for heading in trail) for trail in trails], bool)[trail_of]
        return mask

    @cached_property
    def _documents(self) -> dict[str, range]:
        """The numbers of each document's passages, by its id and by its name."""
        by_id = self._passages.documents
        return {self._passages[numbers.start].source: numbers for numbers in by_id.values()} | by_id

    @cached_property
    def _kinds(self) -> NDArray[np.str_]:
        """The kind of each passage [passages]."""
        return np.array([passage.kind for passage in self._passages], str)

    @cached_property
    def _trails(self) -> tuple[list[tuple[str, ...]], NDArray[np.intp]]:
        """The trails of headings that there are, to be compared, and for each passage [passages] which is its own."""
        known: dict[tuple[str, ...], int] = {}
        trail_of = [known.setdefault(passage.section, len(known)) for passage in self._passages]
        return [tuple(map(_plain, trail)) for trail in known], np.array(trail_of, np.intp)


def _plain(heading: str) -> str:
    return unicodedata.normalize("NFKC", heading).casefold().strip()
