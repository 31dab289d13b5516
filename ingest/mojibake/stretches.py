"""All stretches of a text that were misread, each with its readings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.mojibake.detect import Run, find_misreadings, suspect_lines
from ingest.mojibake.lattice import Certain, Misreading, Slot, lattice
from ingest.mojibake.swapped import SWAPPED, find_outer_layer, find_swapped

__all__ = ["Stretch", "find_stretches", "suspicious"]

LINE = re.compile("[^\n]+")


@dataclass(frozen=True)
class Stretch:
    """`text[start:end]` was misread as `kind` says; `pieces` are its readings."""

    start: int
    end: int
    kind: str
    pieces: tuple[Certain | Slot, ...]


def suspicious(text: str) -> bool:
    """Whether anything in `text` could be a misreading at all; fast, and nearly always false for clean text."""
    return not text.isascii() and (SWAPPED.search(text) is not None or any(suspect_lines(text)))


def find_stretches(text: str) -> Iterator[Stretch]:
    """The stretches of `text`, in order, that a misreading explains; none for clean text."""
    at = 0
    for stretch in _east_asian(text):
        yield from _other_scripts(text, at, stretch.start)
        yield stretch
        at = stretch.end
    yield from _other_scripts(text, at, len(text))


def _east_asian(text: str) -> list[Stretch]:
    """What is misread East Asian text, by the first of three explanations that finds any."""
    if read := find_swapped(text) or find_outer_layer(text):
        return [Stretch(r.start, r.end, r.kind, (Certain(r.start, r.end, r.after),)) for r in read]
    return [Stretch(run.start, run.end, how.kind, _pieces(text, run, how)) for run, how in find_misreadings(text)]


def _pieces(text: str, run: Run, how: Misreading) -> tuple[Certain | Slot, ...]:
    if run.whole is not None:
        return (Certain(run.start, run.end, run.whole),)
    return tuple(lattice(text, run.start, run.end, how))


def _other_scripts(text: str, start: int, end: int) -> Iterator[Stretch]:
    """What ftfy finds in the lines of `text[start:end]`: scripts with short words, several layers."""
    for line in LINE.finditer(text, start, end):
        if any(suspect_lines(line.group())):
            from ftfy import fix_encoding_and_explain

            fixed, plan = fix_encoding_and_explain(line.group())
            if fixed != line.group():
                pages = (str(step.parameter) for step in plan or () if step.action == "encode")
                kind = "_".join(page.removeprefix("sloppy-").replace("windows-", "cp") for page in pages)
                yield Stretch(*line.span(), kind or "inconsistent_utf8", (Certain(*line.span(), fixed),))
