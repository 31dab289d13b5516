"""From damaged text to restored text, with the steps that lead from one to the other."""

from dataclasses import dataclass

from kb.records import Repair

__all__ = ["Restored", "Step", "replay", "restore"]


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
    """`text` with its mojibake undone; clean text comes back as it is."""
    from ftfy import fix_encoding

    steps, at = [], 0
    for line in text.splitlines(keepends=True):
        if not line.isascii() and (fixed := fix_encoding(line)) != line:
            steps.append(Step(at, at + len(line), fixed, "misread as a single-byte encoding"))
        at += len(line)
    return Restored(replay(text, tuple(steps)), tuple({step.kind for step in steps}), steps=tuple(steps))
