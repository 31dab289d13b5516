"""The steps that lead from a damaged text to the restored one, replayed and traced back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

__all__ = ["Step", "origin", "replay"]


@dataclass(frozen=True)
class Step:
    """`text[start:end]` becomes `after`, where `text` is what the layers taken off before have left.

    `kind` is the damage that this undoes; the outermost layer is 0.
    """

    start: int
    end: int
    after: str
    kind: str
    layer: int = 0


def replay(damaged: str, steps: Iterable[Step]) -> str:
    """The restored text again, from the damaged text and the steps in order."""
    for layer in _layers(steps):
        pieces, at = [], 0
        for step in layer:
            pieces += [damaged[at : step.start], step.after]
            at = step.end
        damaged = "".join([*pieces, damaged[at:]])
    return damaged


def origin(steps: Iterable[Step], start: int, end: int) -> tuple[int, int]:
    """The span of the damaged text that `[start, end)` of the restored text was made of.

    Where a step does not tell which of its characters became which, the span is widened to all of the step.
    """
    for layer in reversed(_layers(steps)):
        start, end = _before(layer, start, at_end=False), _before(layer, end, at_end=True)
    return start, end


def _layers(steps: Iterable[Step]) -> list[list[Step]]:
    return [list(layer) for _, layer in groupby(steps, key=lambda step: step.layer)]


def _before(steps: Sequence[Step], place: int, *, at_end: bool) -> int:
    """Where a place stood before the steps of one layer."""
    shift = 0
    for step in steps:
        begin = step.start + shift
        if place <= begin:
            break
        if place < begin + len(step.after):
            if len(step.after.encode()) == step.end - step.start:  # a character of the damaged text for each byte
                return step.start + len(step.after[: place - begin].encode())
            return step.end if at_end else step.start
        shift += len(step.after) - (step.end - step.start)
    return place - shift
