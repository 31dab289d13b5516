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

    def enter(self, before: "Beam", score: float, read: str) -> None:
        """Adds the way from `before` that reads `read`."""
        self.arcs.append((before, score, read))
        self.forward = _add(self.forward, before.forward + score) if len(self.arcs) > 1 else before.forward + score
        if before.best + score > self.best:
            self.best, self.origin, self.read = before.best + score, before, read


@dataclass(slots=True, eq=False)
class Way:
    """Readings under way through certain text: where they began, with the score each had then less `gained` since."""

    state: State
    best: float
    origins: list[tuple[Beam, float]]
    gained: float = 0.0

    def take(self, other: "Way") -> None:
        """Joins the readings of a way that has come to the same state."""
        self.origins += [(beam, score + other.gained - self.gained) for beam, score in other.origins]
        self.best = max(self.best, other.best)


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
        if isinstance(piece, Certain):
            beams = _through(beams, symbols(piece.text), model, margin)
        else:
            beams = _choose(beams, _weighed(piece.candidates, model), model, width, margin)
        pending.append(piece)
        columns.append(beams)
        if len(beams) == 1 or len(columns) > MOST_COLUMNS:
            yield from _settle(columns, pending)
            beams = [Beam(beams[0].state, 0.0, 0.0)]
            columns, pending = [beams], []
    yield from _settle(columns, pending)


@lru_cache(maxsize=10_000)
def _weighed(candidates: tuple[str, ...], model: Scorer) -> list[tuple[str, str]]:
    """The commonest of the candidates, from the commonest down, each with the symbols that the model sees."""
    readings = [(candidate, symbols(candidate)) for candidate in candidates]
    priors = [(sum(map(model.prior, text)) if text else SPACE, n) for n, (_, text) in enumerate(readings)]
    least = max(priors)[0] - RARER
    return [readings[n] for prior, n in sorted(priors, reverse=True)[:MOST_CANDIDATES] if prior >= least]


def _choose(beams: list[Beam], readings: list[tuple[str, str]], model: Scorer, width: int, margin: float) -> list[Beam]:
    """The beams behind a slot."""
    ahead: dict[State, Beam] = {}
    for beam in beams:
        for character, text in readings:
            state, score = beam.state, 0.0 if text else SPACE
            for symbol in text:
                gained, state = state.next.get(symbol) or model.score(state, symbol)
                score += gained
            reached = ahead.get(state)
            if reached is None:
                reached = ahead[state] = Beam(state, -math.inf, -math.inf)
            reached.enter(beam, score, character)
    return _best(ahead.values(), width, margin)


def _through(beams: list[Beam], text: str, model: Scorer, margin: float) -> list[Beam]:
    """The beams behind certain symbols; those that meet on the way go on as one."""
    ways = [Way(beam.state, beam.best, [(beam, 0.0)]) for beam in beams]
    for symbol in text:
        met: dict[State, Way] = {}
        for way in ways:
            gained, way.state = way.state.next.get(symbol) or model.score(way.state, symbol)
            way.gained += gained
            way.best += gained
            if (other := met.setdefault(way.state, way)) is not way:
                other.take(way)
        ways = list(met.values())
        if len(ways) > 1:
            least = max(way.best for way in ways) - margin
            ways = [way for way in ways if way.best > least]
    ahead = []
    for way in ways:
        reached = Beam(way.state, -math.inf, -math.inf)
        for beam, score in way.origins:
            reached.enter(beam, score + way.gained, "")
        ahead.append(reached)
    return _best(ahead, len(ahead), margin)


def _best(beams: Iterable[Beam], width: int, margin: float) -> list[Beam]:
    ranked = sorted(beams, key=lambda beam: -beam.best)[:width]
    least = ranked[0].best - margin
    kept = [beam for beam in ranked if beam.best > least]
    for beam in kept:
        if len(beam.arcs) > 1:
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
