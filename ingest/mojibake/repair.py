"""From damaged text to restored text, with the steps that lead from one to the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.mojibake.decode import Choice, decode
from ingest.mojibake.detect import Stretch, find_stretches, suspicious
from ingest.mojibake.language import default_model
from ingest.mojibake.lattice import Certain, Slot
from kb.records import Repair

__all__ = ["Restored", "Step", "replay", "restore"]

ALTERNATIVES = 3


@dataclass(frozen=True)
class Step:
    """`damaged[start:end]` becomes `after`; `kind` is the damage that this undoes."""

    start: int
    end: int
    after: str
    kind: str


@dataclass(frozen=True)
class Restored:
    """A restored text and how it came about.

    `damage` names the kinds found; `repairs` are the characters that had to be inferred, by their place in `text`;
    `lost` counts characters that nothing can bring back; `replay(damaged, steps) == text`.
    """

    text: str
    damage: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    steps: tuple[Step, ...] = ()
    lost: int = 0


def replay(damaged: str, steps: tuple[Step, ...]) -> str:
    """The restored text again, from the damaged text and the steps in order."""
    pieces, at = [], 0
    for step in steps:
        pieces += [damaged[at : step.start], step.after]
        at = step.end
    return "".join([*pieces, damaged[at:]])


def restore(text: str) -> Restored:
    """`text` with its mojibake undone; clean text comes back as it is, without the language model being loaded."""
    stretches = list(find_stretches(text)) if suspicious(text) else []
    if not stretches:
        return Restored(text)
    pieces = list(_pieces(text, stretches))
    inferred = any(isinstance(piece, Slot) for piece in pieces)
    decided = list(decode(pieces, default_model())) if inferred else [p for p in pieces if isinstance(p, Certain)]
    steps = tuple(_steps(stretches, decided))
    kinds = tuple(dict.fromkeys(step.kind for step in steps))
    return Restored(replay(text, steps), kinds, tuple(_repairs(text, decided)), steps)


def _pieces(text: str, stretches: Iterable[Stretch]) -> Iterator[Certain | Slot]:
    """The whole text as a lattice; what was not misread is the context of what was."""
    at = 0
    for stretch in stretches:
        if at < stretch.start:
            yield Certain(at, stretch.start, text[at : stretch.start])
        yield from stretch.pieces
        at = stretch.end
    if at < len(text):
        yield Certain(at, len(text), text[at:])


def _steps(stretches: Iterable[Stretch], decided: Iterable[Certain | Choice]) -> Iterator[Step]:
    rest = iter(decided)
    for stretch in stretches:
        within = []
        for piece in rest:
            if piece.start >= stretch.start:
                within.append(piece.text)
            if piece.end == stretch.end:
                break
        yield Step(stretch.start, stretch.end, "".join(within), stretch.kind)


def _repairs(text: str, decided: Iterable[Certain | Choice]) -> Iterator[Repair]:
    at = 0
    for piece in decided:
        end = at + len(piece.text)
        if isinstance(piece, Choice):
            others = tuple(character for character, _ in piece.ranked if character != piece.text)
            damaged = text[piece.start : piece.end]
            yield Repair(at, end, damaged, piece.text, piece.confidence, others[:ALTERNATIVES])
        at = end
