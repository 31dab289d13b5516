"""Finds which stretches of a text are UTF-8 that was read as a code page, and as which one, from evidence.

The evidence is characters of East Asian scripts that come out whole: in the code pages of the West three characters in
a row such as `æ¨¡` are the bytes of one, and hardly ever anything else. Other scripts are left to ftfy, whose rules
know which pairs of letters are words somewhere.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ftfy import fix_encoding_and_explain

from ingest.mojibake.kinds import CODE_PAGES, SOFT_HYPHEN, CodePage, Misreading, characters_for, code_page
from ingest.mojibake.lattice import SEQUENCE, Certain, Slot, complete, lattice

__all__ = ["Stretch", "find_stretches", "suspicious"]

LEADS = characters_for(range(0xC2, 0xF5))
SUSPICIOUS = re.compile(f"[{LEADS}][{characters_for(range(0x80, 0xC0))}]")
LINE = re.compile("[^\n]+")
RUN = re.compile("[^\ufffe\n]+")
# U+2E80–U+9FFF, Hangul syllables, compatibility ideographs and full-width forms, as UTF-8.
EAST_ASIAN_BYTES = re.compile(
    "(?:\xe2[\xba-\xbf]|[\xe3-\xe9\xeb\xec][\x80-\xbf]|\xea[\xb0-\xbf]|\xed[\x80-\x9e]|\xef[\xa4-\xab\xbc-\xbf])[\x80-\xbf]"
)
CONTINUATION = re.compile("[\x80-\xbf]")
STRAY = re.compile("[\x80-\xff\ufffd]")
MOST_STRAYS = 0.1  # per whole East Asian character
ENOUGH = 2  # whole East Asian characters that prove a document's damage
FEW = 0.02  # a hole whose byte would be rarer than this in what came through is taken for one


@dataclass(frozen=True)
class Stretch:
    """`text[start:end]` was misread as `kind` says; `pieces` are its readings."""

    start: int
    end: int
    kind: str
    pieces: tuple[Certain | Slot, ...]


@dataclass(frozen=True)
class Evidence:
    """What the sequences of a view are: whole East Asian characters, broken sequences, bytes outside any sequence."""

    whole: int
    broken: int
    strays: int

    @property
    def convincing(self) -> bool:
        return self.whole > 0 and self.strays <= MOST_STRAYS * self.whole and self.broken <= 2 * self.whole + 2


def suspicious(text: str) -> bool:
    """Whether anything in `text` could be a misreading at all; fast, and nearly always false for clean text."""
    return not text.isascii() and SUSPICIOUS.search(text) is not None


def find_stretches(text: str) -> Iterator[Stretch]:
    """The stretches of `text`, in order, that a misreading explains; none for clean text."""
    at = 0
    for start, end, misreading in _east_asian(text):
        yield from _others(text, at, start)
        yield Stretch(start, end, misreading.name, tuple(lattice(text, start, end, misreading)))
        at = end
    yield from _others(text, at, len(text))


def _others(text: str, start: int, end: int) -> Iterator[Stretch]:
    """What ftfy finds in the lines of `text[start:end]`: scripts with short words, several layers."""
    for line in LINE.finditer(text, start, end):
        if suspicious(line.group()):
            fixed, plan = fix_encoding_and_explain(line.group())
            if fixed != line.group():
                pages = (str(step.parameter) for step in plan or () if step.action == "encode")
                kind = "_".join(page.removeprefix("sloppy-").replace("windows-", "cp") for page in pages)
                yield Stretch(*line.span(), kind, (Certain(*line.span(), fixed),))


def _east_asian(text: str) -> Iterator[tuple[int, int, Misreading]]:
    page = _best_page(text)
    if page is None:
        return
    view = page.view(text)
    runs = [(run.span(), evidence(run.group())) for run in RUN.finditer(view) if STRAY.search(run.group())]
    good = [(span, found) for span, found in runs if found.convincing]
    everywhere = sum(found.whole for _, found in good) >= ENOUGH and len(good) * 2 > len(runs)
    misreading = Misreading(page, *_losses(page, [view[start:end] for (start, end), _ in good]))
    for (start, end), found in runs:
        if found.convincing or (everywhere and not found.strays):
            yield start, end, misreading


def _best_page(text: str) -> CodePage | None:
    """The code page under which most whole East Asian characters come out.

    Among equals, such as Windows-1252 and -1254, the one whose holes are the bytes that are not met; then the
    commonest.
    """
    suspects = "".join(line for line in text.splitlines(keepends=True) if SUSPICIOUS.search(line))
    views = [(page, page.view(suspects)) for page in map(code_page, CODE_PAGES)]
    most = max(len(EAST_ASIAN_BYTES.findall(view)) for _, view in views)
    ranked: list[tuple[int, float, CodePage]] = []
    for page, view in views:
        if most and len(EAST_ASIAN_BYTES.findall(view)) > most / 2:
            good = [(run, found) for run in RUN.findall(view) if (found := evidence(run)).convincing]
            whole = sum(found.whole for _, found in good)
            ranked.append((whole, -_surprise(page, "".join(run for run, _ in good)), page))
    best = max(ranked, key=lambda entry: entry[:2], default=None)
    return best[2] if best and best[0] else None


def _surprise(page: CodePage, view: str) -> float:
    """-log-probability that no continuation byte but the page's holes is missing from `view`, all taken as half as
    frequent as they would be were they equally frequent (Poisson)."""
    bytes_ = Counter(CONTINUATION.findall(view))
    absent = sum(not bytes_[chr(byte)] and byte not in page.holes for byte in range(0x80, 0xC0))
    return absent * bytes_.total() / 128


def evidence(view: str) -> Evidence:
    """Counts what the bytes of a view are."""
    sequences = SEQUENCE.findall(view)
    broken = sum(not complete(sequence) for sequence in sequences)
    strays = len(STRAY.findall(view)) - sum(map(len, sequences))
    return Evidence(len(EAST_ASIAN_BYTES.findall(view)), broken, strays)


def _losses(page: CodePage, views: list[str]) -> tuple[frozenset[int], str | None]:
    """Which bytes were dropped without a trace and what stands for those that were replaced."""
    sequences = [sequence for view in views for sequence in SEQUENCE.findall(view)]
    if all(complete(sequence) for sequence in sequences):
        return frozenset(), None
    through = Counter("".join(sequences))
    if through["\ufffd"]:
        return page.holes, "\ufffd"
    if page.name == "latin-1":
        return frozenset(range(0x80, 0xA0)), None
    kept_hyphen = through[chr(SOFT_HYPHEN)] > FEW * sum(through.values()) / 64
    return page.holes - frozenset(map(ord, through)) | (frozenset() if kept_hyphen else {SOFT_HYPHEN}), None
