"""Whole layers that come off without loss: text in an East Asian encoding that was read as Latin-1 or Windows-1252,
and misread text that was misread once more."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ingest.mojibake.detect import EAST_ASIAN, GLIMPSE, find_misreadings, sample
from ingest.mojibake.frequent import EAST_ASIAN_ENCODINGS, ENOUGH_FREQUENT, frequent_share
from ingest.mojibake.kinds import FOREIGN, OUTSIDE, SINGLE_BYTE, encoding
from ingest.mojibake.lattice import decoded

__all__ = ["SWAPPED", "Reread", "find_outer_layer", "find_swapped"]

LAYERS = SINGLE_BYTE[:3]
SAMPLE_LINES = 20
PAGES = ("latin-1", "cp1252")
SWAPPED = re.compile("[\u0080-\u00ff]{4}")  # the fast sign: hardly a word of the West has so many in a row
RUN = re.compile(f"[^{FOREIGN}{OUTSIDE}\n]+")
HIGH = re.compile(r"[\x80-\xff]")
ENOUGH_DIFFERENT = 3  # frequent characters, in a document
MOST_UNREADABLE = 0.2  # of the bytes above ASCII, in a document


@dataclass(frozen=True)
class Reread:
    """`text[start:end]` says `after` when its bytes are read in the right encoding."""

    start: int
    end: int
    after: str
    kind: str


def find_swapped(text: str) -> list[Reread]:
    """The stretches that are East Asian bytes, under the one encoding that explains most of them."""
    if not SWAPPED.search(text):
        return []
    lines = list(islice((line for line in text.split("\n") if SWAPPED.search(line)), SAMPLE_LINES))
    views = [encoding(page).view("\n".join(lines)).bytes for page in PAGES]
    if any(_is_utf8(view) for view in views):
        return []
    ways = [(page, name) for page in PAGES for name in EAST_ASIAN_ENCODINGS]
    read, page, name = max((_reading("\n".join(lines), *way)[0], *way) for way in ways)
    return _reading(text, page, name)[1] if read else []


def _is_utf8(view: str) -> bool:
    """Whether most of the bytes above ASCII are in whole characters of East Asia or in lines that are whole."""
    whole = 3 * len(EAST_ASIAN.findall(view))
    readable = sum(len(HIGH.findall(line)) for line in view.split("\n") if decoded(line) is not None)
    return 2 * max(whole, readable) > len(HIGH.findall(view))


def _reading(text: str, page: str, name: str) -> tuple[int, list[Reread]]:
    """What the bytes say in the encoding, and how many above ASCII can be read so.

    Nothing where too few characters are frequent in its language or too much of the text can't be read so.
    """
    view = encoding(page).view(text).bytes
    read: list[Reread] = []
    unreadable = 0
    for run in _runs(view):
        try:
            after = run.group().encode("latin-1").decode(name)
        except UnicodeError:
            unreadable += len(HIGH.findall(run.group()))
        else:
            read.append(Reread(*run.span(), after, f"{name}_as_{page}"))
    readable = sum(len(HIGH.findall(view, stretch.start, stretch.end)) for stretch in read)
    after = "\n".join(stretch.after for stretch in read)
    share = frequent_share(after, name)
    few = len(EAST_ASIAN_ENCODINGS[name].intersection(after)) < ENOUGH_DIFFERENT
    if few or share < ENOUGH_FREQUENT or unreadable > MOST_UNREADABLE * readable:
        return 0, []
    return readable, read


def find_outer_layer(text: str) -> list[Reread]:
    """The stretches that were misread once more after a misreading that can be found; one layer is taken off."""
    suspects = sample(text, GLIMPSE)
    return next((_decoded_runs(text, page) for page in LAYERS if _is_layer(_decoded_runs(suspects, page))), [])


def _is_layer(runs: list[Reread]) -> bool:
    """Whether what the runs say is misread in turn."""
    return bool(find_misreadings("\n".join(run.after for run in runs)))


def _decoded_runs(text: str, page: str) -> list[Reread]:
    view = encoding(page).view(text).bytes
    runs = [(run.span(), decoded(run.group())) for run in _runs(view)]
    return [Reread(*span, after, page) for span, after in runs if after is not None]


def _runs(view: str) -> Iterator[re.Match[str]]:
    """The stretches of single lines that hold bytes above ASCII and nothing but bytes."""
    return (run for run in RUN.finditer(view) if HIGH.search(run.group()))
