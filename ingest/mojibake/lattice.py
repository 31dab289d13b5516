"""The lattice of readings: what is certain as text, and a slot with its candidates where bytes are missing."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

from ingest.mojibake.kinds import MARK, DoubleByte, Encoding, View

__all__ = [
    "COMPLETE",
    "LENGTHS",
    "SEQUENCE",
    "Certain",
    "Choice",
    "Misreading",
    "Slot",
    "complete",
    "decoded",
    "in_doubt",
    "lattice",
]

# A lead byte and what is left of its continuation bytes; U+FFFD marks one that was replaced.
SEQUENCE = re.compile(
    "[\xc2-\xdf][\x80-\xbf\ufffd]?|[\xe0-\xef][\x80-\xbf\ufffd]{0,2}|[\xf0-\xf4][\x80-\xbf\ufffd]{0,3}"
)
# Characters above ASCII of which no byte is missing, one after the other.
COMPLETE = re.compile("(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+")
PARTS = re.compile(f"(?P<complete>{COMPLETE.pattern})|{SEQUENCE.pattern}")
LENGTHS = {chr(lead): 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4 for lead in range(0xC2, 0xF5)}
# Unassigned, private, control and invisible characters; spaces and separators, but for the ideographic space.
IMPROBABLE = frozenset(("Cn", "Co", "Cc", "Cf", "Zs", "Zl", "Zp"))
IDEOGRAPHIC_SPACE = "\u3000"
MOST_CANDIDATES = 4096
SURE = 0.95


@dataclass(frozen=True)
class Certain:
    """Text that has one reading; it stands for `[start, end)` of the damaged text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Slot:
    """A character that lost bytes, with all the characters that it may have been."""

    start: int
    end: int
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """What the slot at `[start, end)` of the damaged text was read as, and the posterior of every candidate."""

    start: int
    end: int
    text: str
    ranked: tuple[tuple[str, float], ...]

    @property
    def confidence(self) -> float:
        return dict(self.ranked)[self.text]


def in_doubt(piece: Certain | Choice) -> bool:
    """Whether another reading is worth a second look."""
    return isinstance(piece, Choice) and piece.confidence < SURE


@dataclass(frozen=True)
class Misreading:
    """UTF-8 that was read in an encoding.

    `missing` are the bytes that may have been dropped without a trace or, where `mark` stands, replaced by it.
    """

    encoding: Encoding
    missing: frozenset[int] = frozenset()
    dropped: bool = False
    mark: str | None = None

    @property
    def kind(self) -> str:
        if self.mark:
            return f"{self.encoding.name}_replaced"
        return f"{self.encoding.name}_dropped" if self.dropped else self.encoding.name


def complete(sequence: str) -> bool:
    return len(sequence) == LENGTHS[sequence[0]] and MARK not in sequence


def decoded(bytes_: str) -> str | None:
    """What the bytes of a view say as UTF-8, when nothing is missing."""
    try:
        return bytes_.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None


def lattice(text: str, start: int, end: int, misreading: Misreading) -> Iterator[Certain | Slot]:
    """The pieces of `text[start:end]` in order; they cover it without overlap.

    A sequence that no character fits, and bytes outside any sequence, stay as they are. In an encoding of two bytes a
    character of the damaged text may hold bytes of two pieces: it counts for the first of them.
    """
    damaged = text[start:end]
    view = misreading.encoding.view(damaged)
    bytes_ = view.bytes.replace(misreading.mark, MARK) if misreading.mark else view.bytes
    begin = at = 0
    certain: list[str] = []
    for part in PARTS.finditer(bytes_):
        here, there = part.span()
        if part["complete"]:
            whole = part.group().encode("latin-1").decode("utf-8", errors="ignore")
            certain += [_between(damaged, view, at, here), whole]
        elif readings := _readings(view, part, misreading):
            certain.append(_between(damaged, view, at, here))
            if here > begin:
                yield Certain(start + view.edge(begin), start + view.edge(here), "".join(certain))
            yield Slot(start + view.edge(here), start + view.edge(there), readings)
            begin, certain = there, []
        else:
            continue
        at = there
    if begin < len(bytes_):
        certain.append(_between(damaged, view, at, len(bytes_)))
        yield Certain(start + view.edge(begin), end, "".join(certain))


def _between(text: str, view: View, begin: int, end: int) -> str:
    """The text of bytes that are in no sequence; an ASCII byte counts for itself, whatever it was read with."""
    bytes_ = view.bytes[begin:end]
    return bytes_ if bytes_.isascii() else text[view.edge(begin) : view.edge(end)]


def _readings(view: View, sequence: re.Match[str], misreading: Misreading) -> tuple[str, ...]:
    found, end = sequence.group(), sequence.end()
    if complete(found):
        return ()
    if not isinstance(misreading.encoding, DoubleByte):
        return _candidates(found, (True,) * len(found), None, misreading)
    gaps = tuple(view.begins(n) for n in range(sequence.start() + 1, end + 1))
    after = ord(view.bytes[end]) if end < len(view.bytes) and view.bytes[end] <= "\xff" else None
    return _candidates(found, gaps, after, misreading)


@lru_cache(maxsize=65536)
def _candidates(sequence: str, gaps: tuple[bool, ...], after: int | None, misreading: Misreading) -> tuple[str, ...]:
    """The characters whose UTF-8 bytes become `sequence` when some are dropped or marked.

    `gaps[n]` says whether bytes may be missing behind byte n of the sequence, `after` is the byte behind it.
    """
    places = LENGTHS[sequence[0]]
    absent = places - len(sequence)
    if absent and not misreading.dropped:
        return ()
    if len(misreading.missing) ** (absent + sequence.count(MARK)) > MOST_CANDIDATES:
        return ()
    found = set()
    for kept_at in combinations(range(1, places), len(sequence) - 1):
        options = [misreading.missing] * places
        for n, place in enumerate((0, *kept_at)):
            if sequence[n] != MARK:
                options[place] = frozenset((ord(sequence[n]),))
        if not _gaps_fit((0, *kept_at), places, gaps):
            continue
        inferred = [len(option) > 1 for option in options]
        for bytes_ in product(*options):
            character = bytes(bytes_).decode("utf-8", errors="ignore")
            if character and _vanish(bytes_, inferred, after, misreading.encoding):
                found.add(character)
    return tuple(sorted(c for c in found if c == IDEOGRAPHIC_SPACE or unicodedata.category(c) not in IMPROBABLE))


def _gaps_fit(kept_at: tuple[int, ...], places: int, gaps: tuple[bool, ...]) -> bool:
    """Whether bytes are missing only where a character of the damaged text ends."""
    ends = (*kept_at[1:], places)
    return all(gap or end == here + 1 for here, end, gap in zip(kept_at, ends, gaps, strict=True))


def _vanish(bytes_: tuple[int, ...], inferred: list[bool], after: int | None, encoding: Encoding) -> bool:
    """Whether the encoding gives no character for each of the bytes that are missing, as they stand."""
    return not isinstance(encoding, DoubleByte) or all(
        encoding.drops(byte, following)
        for byte, following, missing in zip(bytes_, (*bytes_[1:], after), inferred, strict=True)
        if missing
    )
