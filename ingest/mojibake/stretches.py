"""All stretches of a text that were misread, each with its readings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.mojibake.detect import find_misreadings, suspicious
from ingest.mojibake.lattice import Certain, Slot, lattice

__all__ = ["Stretch", "find_stretches"]

LINE = re.compile("[^\n]+")


@dataclass(frozen=True)
class Stretch:
    """`text[start:end]` was misread as `kind` says; `pieces` are its readings."""

    start: int
    end: int
    kind: str
    pieces: tuple[Certain | Slot, ...]


def find_stretches(text: str) -> Iterator[Stretch]:
    """The stretches of `text`, in order, that a misreading explains; none for clean text."""
    at = 0
    for start, end, misreading in find_misreadings(text):
        yield from _other_scripts(text, at, start)
        yield Stretch(start, end, misreading.kind, tuple(lattice(text, start, end, misreading)))
        at = end
    yield from _other_scripts(text, at, len(text))


def _other_scripts(text: str, start: int, end: int) -> Iterator[Stretch]:
    """What ftfy finds in the lines of `text[start:end]`: scripts with short words, several layers."""
    for line in LINE.finditer(text, start, end):
        if suspicious(line.group()):
            from ftfy import fix_encoding_and_explain

            fixed, plan = fix_encoding_and_explain(line.group())
            if fixed != line.group():
                pages = (str(step.parameter) for step in plan or () if step.action == "encode")
                kind = "_".join(page.removeprefix("sloppy-").replace("windows-", "cp") for page in pages)
                yield Stretch(*line.span(), kind, (Certain(*line.span(), fixed),))
