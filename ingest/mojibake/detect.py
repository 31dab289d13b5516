"""Finds which stretches of a text are UTF-8 that was read in another encoding, and in which one, from evidence.

The evidence is characters of East Asian scripts that come out whole: in the code pages of the West three characters in
a row such as `æ¨¡` are the bytes of one, and hardly ever anything else; the same goes for `妯″` in GBK. Other scripts
are left to ftfy, whose rules know which pairs of letters are words somewhere.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.mojibake.frequent import familiar_characters
from ingest.mojibake.kinds import (
    DOUBLE_BYTE,
    FOREIGN,
    LOSSLESS_ONLY,
    MARK,
    OUTSIDE,
    SINGLE_BYTE,
    SOFT_HYPHEN,
    Encoding,
    SingleByte,
    encoding,
    pattern,
)
from ingest.mojibake.lattice import COMPLETE, LENGTHS, SEQUENCE, Misreading, decoded

__all__ = ["EAST_ASIAN", "GLIMPSE", "Run", "find_misreadings", "sample", "suspect_lines"]

CONTINUATIONS = range(0x80, 0xC0)


def _pairs(name: str, second: str) -> str:
    """What E3–EF and a continuation byte are in an encoding of two bytes, beside what may come next."""
    return f"[{pattern((name,), range(0xE3, 0xF0), CONTINUATIONS)}][{second}]"


# The fast signs, nearly never found in clean text: a lead byte and a continuation byte side by side in some code page,
# or what is left of such a pair; the beginning of a character beside what another continuation byte begins.
LEADS = pattern(SINGLE_BYTE, range(0xC2, 0xF5))
LETTERS = f"[{LEADS}][{pattern(SINGLE_BYTE, CONTINUATIONS)}{MARK}]|[\x80-\x84\x86-\x9f]|Ã[ \xa0]"
CHARACTERS = "|".join(
    (
        _pairs("gbk", pattern(("gbk",), CONTINUATIONS)),
        _pairs("cp932", "\uff61-\uff9f"),
        _pairs("cp949", "\uac00-\ud7a3"),
    )
)
SUSPICIOUS = re.compile(f"(?P<letters>{LETTERS})|(?:{CHARACTERS})")
SPARSEST = 10  # characters above ASCII to each fast sign, in a line that was misread in an encoding of two bytes
RUN = re.compile(f"[^{OUTSIDE}\n]+")
# U+2E80–U+9FFF, Hangul syllables, compatibility ideographs and full-width forms, as UTF-8.
EAST_ASIAN = re.compile(
    "(?:\xe2[\xba-\xbf]|[\xe3-\xe9\xeb\xec][\x80-\xbf]|\xea[\xb0-\xbf]|\xed[\x80-\x9e]|\xef[\xa4-\xab\xbc-\xbf])"
    "[\x80-\xbf]"
)
CONTINUATION = re.compile("[\x80-\xbf]")
HIGH = re.compile(f"[\x80-\xff{FOREIGN}]")
PROMISING = 0.7  # of the most whole characters that any encoding gives
GLIMPSE = 200  # characters that rule most encodings out, if so many whole ones are there
SEEN_ENOUGH = 20
PLACES = {name: place for place, name in enumerate((*SINGLE_BYTE, *DOUBLE_BYTE))}
MOST_STRAYS = 0.1  # for each whole East Asian character
MOST_BROKEN = 1
SLACK = 2  # more broken ones in a short text
MOST_STRIPPED = 4  # where half of all continuation bytes are gone
ENOUGH = 2  # whole East Asian characters that prove a document's damage
UNDECIDED = 4.0  # nats
RARER = 1.0  # nats, for each place further down the list of encodings
FEW = 0.02  # of its expected share: a byte that comes through less often than this is dropped as a rule
SAMPLE = 2_000  # characters
MOST_ENCODINGS = 4  # in one document


@dataclass(frozen=True)
class Evidence:
    """What the bytes are: whole East Asian characters, broken sequences, bytes outside any sequence."""

    whole: int
    broken: int
    strays: int

    def convincing(self, misread_in: Encoding) -> bool:
        if misread_in.name in LOSSLESS_ONLY:
            return self.whole > 1 and self.strays == self.broken == 0
        enough = self.whole > 0 if isinstance(misread_in, SingleByte) else self.whole > 1
        most_broken = MOST_STRIPPED if misread_in.name == "latin-1" else MOST_BROKEN
        few_broken = self.broken <= most_broken * self.whole + (SLACK if self.whole >= ENOUGH else 0)
        return enough and few_broken and self.strays <= MOST_STRAYS * self.whole


@dataclass(frozen=True)
class Reading:
    """An encoding, what stands for a byte that was replaced, and the bytes that may be missing.

    A short text may not tell one code page from another: then these are the holes of all that it can't tell apart.
    """

    encoding: Encoding
    mark: str
    holes: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Run:
    """`text[start:end]`, a stretch of one line that an encoding can have given, as bytes and what they say if whole."""

    start: int
    end: int
    bytes: str
    whole: str | None
    evidence: Evidence


def suspect_lines(text: str) -> Iterator[str]:
    """The lines that may be misread at all."""
    end = 0
    for sign in SUSPICIOUS.finditer(text):
        if sign.start() < end:
            continue
        start, end = text.rfind("\n", 0, sign.start()) + 1, text.find("\n", sign.end())
        end = len(text) if end < 0 else end
        line = text[start:end]
        if sign["letters"] or len(SUSPICIOUS.findall(line)) * SPARSEST > len(line) - len(
            line.encode("ascii", "ignore")
        ):
            yield line


def sample(text: str, enough: int = SAMPLE) -> str:
    """Enough of the suspect lines to tell what happened to them."""
    lines, size = [], 0
    for line in suspect_lines(text):
        lines.append(line)
        size += len(line)
        if size > enough:
            break
    return "\n".join(lines)


def find_misreadings(text: str) -> list[tuple[Run, Misreading]]:
    """The stretches of `text` in order that are misread East Asian text, and what happened to them."""
    found: list[tuple[Run, Misreading]] = []
    for _ in range(MOST_ENCODINGS):
        best = _best_reading(text)
        if best is None:
            break
        runs = _runs(text, best.encoding, best.mark)
        good = [run for run in runs if run.evidence.convincing(best.encoding)]
        misreading = _losses(best, [run.bytes for run in good])
        everywhere = sum(run.evidence.whole for run in good) >= ENOUGH and len(good) * 2 > len(runs)
        taken = [
            run for run in runs if run.evidence.convincing(best.encoding) or (everywhere and not run.evidence.strays)
        ]
        found += [(run, misreading) for run in taken]
        text = _without(text, taken)
    return sorted(found, key=lambda stretch: stretch[0].start)


def _without(text: str, runs: Sequence[Run]) -> str:
    """`text` with the runs blanked, its length unchanged."""
    pieces, at = [], 0
    for run in runs:
        pieces += [text[at : run.start], " " * (run.end - run.start)]
        at = run.end
    return "".join([*pieces, text[at:]])


def _best_reading(text: str) -> Reading | None:
    """The encoding, and the mark of replaced bytes, under which most whole East Asian characters come out.

    Among equals, such as Windows-1252 and -1254, the one whose holes are the bytes that are not met; then the
    commonest. Among those that a short text can't tell apart so, the one with more familiar characters.
    """
    suspects = sample(text)
    if not suspects:
        return None
    ranked: list[tuple[int, float, Reading]] = []
    views = _promising_views(suspects)
    for name in views:
        for mark in (MARK, "?") if "?" in suspects else (MARK,):
            read = [(run, _evidence(run, mark, decoded(run))) for run in RUN.findall(views[name])]
            good = [(run, found) for run, found in read if found.convincing(encoding(name))]
            whole = sum(found.whole - found.strays for _, found in good)
            surprise = _surprise(encoding(name), "".join(run for run, _ in good)) + RARER * PLACES[name]
            ranked.append((whole, -surprise, Reading(encoding(name), mark)))
    most, least, best = max(ranked, key=lambda entry: entry[:2], default=(0, 0.0, None))
    if best is None or most < ENOUGH:
        return None
    like = [entry for entry in ranked if entry[0] == most and entry[1] > least - UNDECIDED]
    if len(like) > 1:
        best = max(like, key=lambda entry: (_familiar(views[entry[2].encoding.name]), entry[1]))[2]
    return replace(best, holes=frozenset[int]().union(*(reading.encoding.holes for _, _, reading in like)))


def _promising_views(text: str) -> dict[str, str]:
    """The bytes of `text` in the encodings that give nearly as many whole East Asian characters as any."""
    names, least = list(PLACES), 0.0
    glimpses = _whole_characters(_views(text[:GLIMPSE], names))
    if max(glimpses.values()) >= SEEN_ENOUGH:
        least = PROMISING / 2 * max(glimpses.values())
    views = _views(text, [name for name in names if glimpses[name] >= least])
    whole = _whole_characters(views)
    least = max(1, PROMISING * max(whole.values()))
    return {name: view for name, view in views.items() if whole[name] >= least}


def _views(text: str, names: Iterable[str]) -> dict[str, str]:
    return {name: encoding(name).view(text).bytes for name in names}


def _whole_characters(views: dict[str, str]) -> dict[str, int]:
    return {name: len(EAST_ASIAN.findall(view)) for name, view in views.items()}


def _familiar(view: str) -> int:
    """How many familiar characters stand whole in a view."""
    familiar = familiar_characters()
    return sum(found.encode("latin-1").decode(errors="ignore") in familiar for found in EAST_ASIAN.findall(view))


def _surprise(page: Encoding, view: str) -> float:
    """How unlikely it is that just those continuation bytes are absent from `view` that are, in nats.

    The bytes that are no holes of the page are taken for half as frequent as if all were equally so (Poisson).
    """
    if not isinstance(page, SingleByte):
        return 0.0
    bytes_ = Counter(CONTINUATION.findall(view))
    absent = sum(not bytes_[chr(byte)] and byte not in page.holes for byte in CONTINUATIONS)
    return absent * bytes_.total() / 128


def _runs(text: str, misread_in: Encoding, mark: str) -> list[Run]:
    """The runs of `text` with anything but ASCII in them, as the bytes that the encoding has for them."""
    view = misread_in.view(text)
    runs = []
    for found in RUN.finditer(view.bytes):
        bytes_ = found.group()
        if HIGH.search(bytes_):
            whole = decoded(bytes_)
            evidence = _evidence(bytes_, mark, whole)
            runs.append(Run(view.edge(found.start()), view.edge(found.end()), bytes_, whole, evidence))
    return runs


def _evidence(bytes_: str, mark: str, decoded_: str | None) -> Evidence:
    whole = len(EAST_ASIAN.findall(bytes_))
    if decoded_ is not None:
        return Evidence(whole, 0, 0)
    rest = COMPLETE.sub(" ", bytes_.replace(mark, MARK))
    broken = SEQUENCE.findall(rest)
    held = "".join(broken)
    return Evidence(whole, len(broken), len(HIGH.findall(rest)) - len(held) + held.count(MARK))


def _losses(reading: Reading, runs: Sequence[str]) -> Misreading:
    """What became of the bytes that the encoding has no character for."""
    misread_in, mark = reading.encoding, reading.mark
    bytes_ = "\n".join(runs).replace(mark, MARK)
    broken = SEQUENCE.findall(COMPLETE.sub(" ", bytes_))
    if not broken:
        return Misreading(misread_in)
    dropped = any(len(sequence) < LENGTHS[sequence[0]] for sequence in broken)
    replaced = mark if any(MARK in sequence for sequence in broken) else None
    if not isinstance(misread_in, SingleByte):
        return Misreading(misread_in, frozenset(CONTINUATIONS), dropped, replaced)
    through = Counter("".join(SEQUENCE.findall(bytes_)))
    missing = reading.holes - {ord(byte) for byte in through}
    if dropped and through[chr(SOFT_HYPHEN)] <= FEW * through.total() / 64:
        missing |= {SOFT_HYPHEN}
    return Misreading(misread_in, missing, dropped, replaced)
