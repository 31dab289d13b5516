"""Which passages a search may find: those of some documents, under a heading, of some kinds."""

import unicodedata

import numpy as np
from numpy.typing import NDArray

from kb.analysed import Analysed
from kb.records import Filter, Passage

__all__ = ["allowed_by"]


def allowed_by(within: Filter | None, passages: Analysed) -> NDArray[np.bool_] | None:
    """For each of the passages [passages] whether it may be found; None if all may."""
    if within is None or within == Filter():
        return None
    mask = np.zeros(len(passages), bool)
    for numbers in passages.documents.values():
        mask[numbers.start : numbers.stop] = _is_of(within, passages[numbers.start])
    if within.section is not None or within.kinds is not None:
        for number in np.flatnonzero(mask):
            mask[number] = _is_like(within, passages[int(number)])
    return mask


def _is_of(within: Filter, passage: Passage) -> bool:
    return within.documents is None or not {passage.document_id, passage.source}.isdisjoint(within.documents)


def _is_like(within: Filter, passage: Passage) -> bool:
    wanted = _plain(within.section or "")
    placed = not wanted or any(wanted in _plain(heading) for heading in passage.section)
    return placed and (within.kinds is None or passage.kind in within.kinds)


def _plain(heading: str) -> str:
    return unicodedata.normalize("NFKC", heading).casefold().strip()
