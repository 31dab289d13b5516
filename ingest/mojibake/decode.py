"""Finds the likeliest reading of a lattice: beam search forward, then posteriors of each slot's candidates backward."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from ingest.mojibake.language import Scorer, State
from ingest.mojibake.lattice import Certain, Choice, Slot
from ingest.mojibake.symbols import symbols

__all__ = ["MOST_COLUMNS", "Beam", "decode"]

WIDTH = 16  # readings kept at each place
MOST_CANDIDATES = 64  # of one slot
RARER = 9.0  # nats: candidates so much rarer than the commonest are not weighed
SPACE = -6.5  # nats: a candidate that the language model does not see, such as an ideographic space
MOST_COLUMNS = 500  # without a place where all readings agree
MARGIN = 10.0  # nats: readings so much worse than the best are dropped


@dataclass(slots=True, eq=False)
class Beam:
    """A reading up to some place; readings that the language model can't tell apart from here on are one beam.

    `best` is the score of the likeliest reading, `forward` and `backward` are log-sums over all readings before and
    after it, `arcs` lead back: (beam before, score, the character read or "").
    """

    state: State
    best: float
    forward: float
    origin: "Beam | None" = None
    read: str = ""
    arcs: list[tuple["Beam", float, str]] = field(default_factory=list)
    backward: float = -math.inf


def decode(
    pieces: Iterable[Certain | Slot], model: Scorer, width: int = WIDTH, margin: float = MARGIN
) -> Iterator[Certain | Choice]:
    """The pieces of a lattice with every slot decided, in order.

    Decided text is handed on whenever one beam is left, at the latest after `MOST_COLUMNS` pieces, so that memory does
    not grow with the text.
    """
    beams = [Beam(model.start(), 0.0, 0.0)]
    columns: list[list[Beam]] = [beams]
    pending: list[Certain | Slot] = []
    for piece in pieces:
        pending.append(piece)
        beams = _advance(beams, _readings(piece, model), model, width, margin)
        columns.append(beams)
        if len(beams) == 1 or len(columns) > MOST_COLUMNS:
            yield from _settle(columns, pending)
            beams = [Beam(beams[0].state, 0.0, 0.0)]
            columns, pending = [beams], []
    yield from _settle(columns, pending)


def _readings(piece: Certain | Slot, model: Scorer) -> list[tuple[str, str]]:
    """What a piece may be read as, with the symbols that the language model sees."""
    if isinstance(piece, Certain):
        return [("", symbols(piece.text))]
    return _weighed(piece.candidates, model)


@lru_cache(maxsize=10_000)
def _weighed(candidates: tuple[str, ...], model: Scorer) -> list[tuple[str, str]]:
    """The commonest of the candidates, from the commonest down."""
    readings = [(candidate, symbols(candidate)) for candidate in candidates]
    priors = [(sum(map(model.prior, text)) if text else SPACE, n) for n, (_, text) in enumerate(readings)]
    least = max(priors)[0] - RARER
    return [readings[n] for prior, n in sorted(priors, reverse=True)[:MOST_CANDIDATES] if prior >= least]


def _advance(
    beams: list[Beam], readings: list[tuple[str, str]], model: Scorer, width: int, margin: float
) -> list[Beam]:
    ahead: dict[int, Beam] = {}
    for beam in beams:
        for character, text in readings:
            state, score = beam.state, SPACE if character and not text else 0.0
            for symbol in text:
                gained, state = model.score(state, symbol)
                score += gained
            reached = ahead.get(id(state))
            if reached is None:
                reached = ahead[id(state)] = Beam(state, -math.inf, -math.inf)
            reached.arcs.append((beam, score, character))
            reached.forward = _add(reached.forward, beam.forward + score)
            if beam.best + score > reached.best:
                reached.best, reached.origin, reached.read = beam.best + score, beam, character
    ranked = sorted(ahead.values(), key=lambda beam: -beam.best)[:width]
    least = ranked[0].best - margin
    kept = [beam for beam in ranked if beam.best > least]
    for beam in kept:
        beam.arcs = [arc for arc in beam.arcs if arc[0].best + arc[1] > least]
    return kept


def _settle(columns: list[list[Beam]], pieces: list[Certain | Slot]) -> Iterator[Certain | Choice]:
    total = -math.inf
    for beam in columns[-1]:
        beam.backward = 0.0
        total = _add(total, beam.forward)
    posteriors: list[dict[str, float]] = []
    for column in reversed(columns[1:]):
        sums: dict[str, float] = {}
        for beam in column:
            for before, score, character in beam.arcs:
                onwards = score + beam.backward
                before.backward = _add(before.backward, onwards)
                sums[character] = sums.get(character, 0.0) + math.exp(before.forward + onwards - total)
        posteriors.append(sums)
    path = _best_path(columns[-1][0])
    for piece, read, sums in zip(pieces, path, reversed(posteriors), strict=True):
        if isinstance(piece, Certain):
            yield piece
        else:
            ranked = sorted(sums.items(), key=lambda item: -item[1])
            yield Choice(piece.start, piece.end, read, tuple((c, min(p, 1.0)) for c, p in ranked))


def _best_path(beam: Beam | None) -> list[str]:
    path = []
    while beam is not None and beam.origin is not None:
        path.append(beam.read)
        beam = beam.origin
    return path[::-1]


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == -math.inf else a + math.log1p(math.exp(b - a))
