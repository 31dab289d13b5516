"""The places that the n-grams leave in doubt, looked at again with what the network makes of their surroundings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ingest.mojibake.decode import decode
from ingest.mojibake.language import Scorer
from ingest.mojibake.lattice import Certain, Choice, Slot
from ingest.mojibake.network import HIDDEN, UNKNOWN, Network
from ingest.mojibake.symbols import symbols

__all__ = ["DOUBTFUL", "WEIGHT", "reconsider"]

DOUBTFUL = 0.995
WEIGHT = 0.5  # exponent of the network's probabilities
STRANGE = -9.0  # nats: a candidate that the network does not know, against those that it does
REACH = 12  # pieces on either side that are decided again with a doubtful one
AT_ONCE = 256  # places

Piece = Certain | Slot
Decided = Certain | Choice


def reconsider(pieces: Sequence[Piece], decided: Sequence[Decided], model: Scorer, network: Network) -> list[Decided]:
    """`decided` with its doubtful places decided once more, neighbours jointly, now with the network's evidence.

    `pieces[n]` is what `decided[n]` was decided from. Other places stay as they are.
    """
    doubtful = [n for n, piece in enumerate(decided) if isinstance(piece, Choice) and piece.confidence < DOUBTFUL]
    again: list[Piece] = [_as_decided(piece) for piece in decided]
    for n, evidence in zip(doubtful, _evidence(pieces, decided, doubtful, network), strict=True):
        slot = pieces[n]
        assert isinstance(slot, Slot)
        again[n] = replace(slot, evidence=evidence)
    result = list(decided)
    near = sorted({m for n in doubtful for m in range(max(0, n - REACH), min(len(again), n + REACH + 1))})
    for _, run in groupby(enumerate(near), key=lambda pair: pair[1] - pair[0]):
        places = [place for _, place in run]
        for place, piece in zip(places, decode((again[n] for n in places), model), strict=True):
            if isinstance(again[place], Slot):
                result[place] = piece
    return result


def _as_decided(piece: Decided) -> Certain:
    return piece if isinstance(piece, Certain) else Certain(piece.start, piece.end, piece.text)


def _evidence(
    pieces: Sequence[Piece], decided: Sequence[Decided], doubtful: Sequence[int], network: Network
) -> Iterator[tuple[float, ...]]:
    """For each doubtful place a log-score of each of its candidates."""
    seen, places = _view(decided, frozenset(doubtful), network)
    for first in range(0, len(doubtful), AT_ONCE):
        queries = network.queries(seen, places[first : first + AT_ONCE])
        for n, query in zip(doubtful[first : first + AT_ONCE], queries, strict=True):
            slot = pieces[n]
            assert isinstance(slot, Slot)
            numbers = np.array([_number(candidate, network) for candidate in slot.candidates])
            scores = network.scores(query, numbers)
            known = numbers != UNKNOWN
            top = scores[known].max(initial=-np.inf)
            total = top + np.log(np.exp(scores[known] - top).sum()) if known.any() else 0.0
            yield tuple((WEIGHT * np.where(known, scores - total, STRANGE)).tolist())


def _view(decided: Iterable[Decided], hidden: frozenset[int], network: Network) -> tuple[NDArray[np.int64], list[int]]:
    """The text as the network sees it [symbols], and where in it the `hidden` pieces stand."""
    seen: list[NDArray[np.int64]] = []
    places: list[int] = []
    at = 0
    for n, piece in enumerate(decided):
        numbers = np.array([HIDDEN]) if n in hidden else network.read(symbols(piece.text))
        if n in hidden:
            places.append(at)
        seen.append(numbers)
        at += len(numbers)
    return np.concatenate(seen), places


def _number(candidate: str, network: Network) -> int:
    text = symbols(candidate)
    return network.numbers.get(text, UNKNOWN) if len(text) == 1 else UNKNOWN
