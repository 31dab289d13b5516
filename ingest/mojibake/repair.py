"""From damaged text to restored text, with the steps that lead from one to the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from ingest.mojibake.detect import suspicious
from ingest.mojibake.lattice import Certain, Choice, Slot
from ingest.mojibake.stretches import Stretch, find_stretches
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
    decided = _decided(list(_pieces(text, stretches)))
    steps = tuple(_steps(stretches, decided))
    kinds = tuple(dict.fromkeys(step.kind for step in steps))
    return Restored(replay(text, steps), kinds, tuple(_repairs(text, decided)), steps)


def _decided(pieces: list[Certain | Slot]) -> list[Certain | Choice]:
    """The pieces with every slot decided; the language model is loaded when there is one."""
    certain = [piece for piece in pieces if isinstance(piece, Certain)]
    if len(certain) == len(pieces):
        return list(certain)
    from ingest.mojibake.decode import decode
    from ingest.mojibake.language import default_model

    return list(decode(pieces, default_model()))


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
    at = 0
    for stretch in stretches:
        if at < stretch.start:
            next(rest)
        after = "".join(piece.text for piece in islice(rest, len(stretch.pieces)))
        yield Step(stretch.start, stretch.end, after, stretch.kind)
        at = stretch.end


def _repairs(text: str, decided: Iterable[Certain | Choice]) -> Iterator[Repair]:
    at = 0
    for piece in decided:
        end = at + len(piece.text)
        if isinstance(piece, Choice):
            others = tuple(character for character, _ in piece.ranked if character != piece.text)
            damaged = text[piece.start : piece.end]
            yield Repair(at, end, damaged, piece.text, piece.confidence, others[:ALTERNATIVES])
        at = end
