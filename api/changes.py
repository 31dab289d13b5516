"""The lines that restoring changed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ingest.mojibake import Restored
from kb.records import Repair


@dataclass(frozen=True)
class ChangedLine:
    """Line `number` (from 1) as it was and as it is now; the spans of `inferred` count from its beginning."""

    number: int
    before: str
    after: str
    inferred: tuple[Repair, ...]


def changed_lines(damaged: str, restored: Restored) -> Iterator[ChangedLine]:
    """The lines that differ; restoring neither adds lines nor takes any away."""
    repairs = iter(restored.repairs)
    repair = next(repairs, None)
    begin = 0
    lines = zip(damaged.split("\n"), restored.text.split("\n"), strict=True)
    for number, (before, after) in enumerate(lines, 1):
        inferred = []
        while repair is not None and repair.start < begin + len(after):
            inferred.append(replace(repair, start=repair.start - begin, end=repair.end - begin))
            repair = next(repairs, None)
        if before != after:
            yield ChangedLine(number, before, after, tuple(inferred))
        begin += len(after) + 1
