"""From damaged text to restored text, with the steps that lead from one to the other."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice

from ingest.mojibake.lattice import Certain, Choice, Slot, in_doubt
from ingest.mojibake.steps import Step, replay
from ingest.mojibake.stretches import Stretch, find_stretches, suspicious
from kb.records import Repair

__all__ = ["Restored", "restore"]

ALTERNATIVES = 3
MOST_LAYERS = 5


@dataclass(frozen=True)
class Restored:
    """A restored text and how it came about.

    `damage` names the kinds found; `repairs` are the characters that had to be inferred, by their place in `text`;
    `lost` counts characters that nothing can bring back; `replay(damaged, steps) == text`, and
    `origin(steps, start, end)` is the span of the damaged text that `text[start:end]` was made of.
    """

    text: str
    damage: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    steps: tuple[Step, ...] = ()
    lost: int = 0


def restore(text: str) -> Restored:
    """`text` with its mojibake undone; clean text comes back as it is, without the language model being loaded.

    Layers are taken off until nothing more is found, so restoring a restored text changes nothing.
    """
    steps: list[Step] = []
    repairs: list[Repair] = []
    for layer in range(MOST_LAYERS):
        stretches = list(find_stretches(text)) if suspicious(text) else []
        if not stretches:
            break
        decided = _decided(list(_pieces(text, stretches)))
        taken = [replace(step, layer=layer) for step in _steps(stretches, decided)]
        repairs = [*_moved(repairs, taken), *_repairs(text, decided)]
        text = replay(text, taken)
        steps += taken
    kinds = tuple(dict.fromkeys(step.kind for step in steps))
    repairs.sort(key=lambda repair: repair.start)
    return Restored(text, kinds, tuple(repairs), tuple(steps), _lost(text))


def _moved(repairs: Iterable[Repair], steps: Sequence[Step]) -> Iterator[Repair]:
    """The repairs of earlier layers where they stand after the steps; those that meet a step are part of it now."""
    ends = [step.end for step in steps]
    shifts = list(accumulate((len(step.after) - (step.end - step.start) for step in steps), initial=0))
    for repair in repairs:
        before = bisect_right(ends, repair.start)
        if before == len(steps) or steps[before].start >= repair.end:
            yield replace(repair, start=repair.start + shifts[before], end=repair.end + shifts[before])


def _lost(text: str) -> int:
    """Characters that were replaced when bytes were read as UTF-8: nothing says what they were.

    `锟斤拷` is two of them that were then read as GBK.
    """
    return text.count("\ufffd") + 2 * text.count("锟斤拷")


def _decided(pieces: list[Certain | Slot]) -> list[Certain | Choice]:
    """The pieces with every slot decided; the language model is loaded when there is one."""
    certain = [piece for piece in pieces if isinstance(piece, Certain)]
    if len(certain) == len(pieces):
        return list(certain)
    from ingest.mojibake.decode import decode
    from ingest.mojibake.language import default_model

    language = default_model()
    model = language.suited(language.familiarity(piece.text for piece in certain))
    decided = list(decode(pieces, model))
    if not any(map(in_doubt, decided)):
        return decided
    from ingest.mojibake.network import default_network
    from ingest.mojibake.reconsider import reconsider

    return reconsider(decided, default_network())


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
        for piece in islice(rest, len(stretch.pieces)):
            yield Step(piece.start, piece.end, piece.text, stretch.kind)
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
