"""The lattice of readings: what is certain as text, and a slot with its candidates where bytes are missing."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

from ingest.mojibake.kinds import Misreading

__all__ = ["Certain", "Slot", "lattice"]

# A lead byte and what is left of its continuation bytes; U+FFFD marks one that was replaced.
SEQUENCE = re.compile(
    "[\xc2-\xdf][\x80-\xbf\ufffd]?|[\xe0-\xef][\x80-\xbf\ufffd]{0,2}|[\xf0-\xf4][\x80-\xbf\ufffd]{0,3}"
)
MOST_CANDIDATES = 4096
# Unassigned, private, control and invisible characters; lone spaces and separators of other widths.
IMPROBABLE = frozenset(("Cn", "Co", "Cc", "Cf", "Zs", "Zl", "Zp"))


@dataclass(frozen=True)
class Certain:
    """Text that has one reading; it stands at `[start, end)` of the damaged text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Slot:
    """A character that lost bytes, with all the characters that it may have been."""

    start: int
    end: int
    candidates: tuple[str, ...]


def lattice(text: str, start: int, end: int, misreading: Misreading) -> Iterator[Certain | Slot]:
    """The pieces of `text[start:end]` in order; they cover it without overlap.

    A sequence that no character fits, and bytes outside any sequence, stay as they are.
    """
    view = misreading.page.view(text[start:end])
    if misreading.mark:
        view = view.replace(misreading.mark, "\ufffd")
    begin = at = start
    certain: list[str] = []
    for sequence in SEQUENCE.finditer(view):
        here, there = start + sequence.start(), start + sequence.end()
        readings = candidates(sequence.group(), misreading.missing)
        if not readings:
            continue
        certain.append(text[at:here])
        if complete(sequence.group()):
            certain.append(readings[0])
        else:
            if here > begin:
                yield Certain(begin, here, "".join(certain))
            yield Slot(here, there, readings)
            begin, certain = there, []
        at = there
    if begin < end:
        yield Certain(begin, end, "".join([*certain, text[at:end]]))


LENGTHS = {chr(lead): 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4 for lead in range(0xC2, 0xF5)}


def complete(sequence: str) -> bool:
    return len(sequence) == LENGTHS[sequence[0]] and "\ufffd" not in sequence


@lru_cache(maxsize=65536)
def candidates(sequence: str, missing: frozenset[int]) -> tuple[str, ...]:
    """The characters whose UTF-8 bytes become `sequence` when bytes of `missing` are dropped or marked U+FFFD."""
    if complete(sequence):
        return tuple(sequence.encode("latin-1").decode("utf-8", errors="ignore"))
    lead, rest = ord(sequence[0]), sequence[1:]
    places = LENGTHS[sequence[0]] - 1
    dropped = places - len(rest)
    if not missing or len(missing) ** (dropped + rest.count("\ufffd")) > MOST_CANDIDATES:
        return ()
    found = set()
    for gaps in combinations(range(places), dropped):
        kept = iter(rest)
        options = [missing if place in gaps else _options(next(kept), missing) for place in range(places)]
        for bytes_ in product(*options):
            character = bytes((lead, *bytes_)).decode("utf-8", errors="ignore")
            if character and unicodedata.category(character) not in IMPROBABLE:
                found.add(character)
    return tuple(sorted(found))


def _options(kept: str, missing: frozenset[int]) -> frozenset[int]:
    return missing if kept == "\ufffd" else frozenset((ord(kept),))
