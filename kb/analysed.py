"""The passages of one version of the store and the terms of each, in files that open without being read.

A new version takes over what it shares with the one before: only the passages of new generations are analysed.
"""

import json
import mmap
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from pathlib import Path, PurePosixPath
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from kb.records import Passage
from kb.store_tables import passage_of
from kb.terms import terms

__all__ = ["Analysed", "Block"]

LINES, LINE_SIZES, BOUNDS = "passages.jsonl", "passages.sizes.npy", "passages.bounds.npy"
TERMS, TERM_COUNTS = "terms.npy", "terms.counts.npy"
GENERATIONS = "generations.json"
REMEMBERED = 4096  # parsed passages

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Block:
    """The passages of one generation of a document: their records as lines of JSON, and the numbers of their terms.

    `sizes` [passages] has the lengths of the lines in bytes, `counts` [passages] how many of `terms` each has;
    `bounds` [2 · passages] where each starts and ends in its document.
    """

    lines: bytes
    sizes: Numbers
    bounds: Numbers
    terms: Numbers
    counts: Numbers

    @classmethod
    def of(cls, records: Sequence[str], vocabulary: dict[str, int]) -> Self:
        """The block of these records; terms that `vocabulary` does not number yet get the next numbers there."""
        lines = [record.encode() + b"\n" for record in records]
        passages = [passage_of(record) for record in records]
        found = [_terms_of(passage) for passage in passages]
        bounds = [bound for passage in passages for bound in (passage.start, passage.end)]
        numbers = [vocabulary.setdefault(term, len(vocabulary)) for some in found for term in some]
        sizes, counts = (np.array(list(map(len, each)), np.int32) for each in (lines, found))
        return cls(b"".join(lines), sizes, np.array(bounds, np.int32), np.array(numbers, np.int32), counts)


class Analysed(Sequence[Passage]):
    """All passages, one generation after the other, of which only those asked for are parsed."""

    def __init__(self, generations: Mapping[str, int], block: Block, lines: bytes | mmap.mmap | None = None) -> None:
        """`generations` says how many passages of `block` each has; `lines` are its lines if it has none itself."""
        self.block, self._lines = block, block.lines if lines is None else lines
        self.generations = generations
        self._first = dict(zip(generations, accumulate(generations.values(), initial=0), strict=False))
        self._names, self._starts = list(self._first), list(self._first.values())
        self._line_ends = np.cumsum(block.sizes, dtype=np.int64)
        self._parsed = _remembering(self._lines, self._line_ends)

    @classmethod
    def join(cls, blocks: Mapping[str, Block]) -> Self:
        """The blocks of all generations, in order, as one."""
        joined = Block(
            b"".join(block.lines for block in blocks.values()),
            *(
                np.concatenate([np.empty(0, np.int32), *(getattr(block, name) for block in blocks.values())])
                for name in ("sizes", "bounds", "terms", "counts")
            ),
        )
        return cls({name: len(block.sizes) for name, block in blocks.items()}, joined)

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Each generation with its block."""
        term_ends = [0, *np.cumsum(self.block.counts, dtype=np.int64)]
        bounds = pairwise(accumulate(self.generations.values(), initial=0))
        for name, (first, end) in zip(self.generations, bounds, strict=True):
            yield (
                name,
                Block(
                    self._lines[self._line_start(first) : self._line_start(end)],
                    self.block.sizes[first:end],
                    self.block.bounds[2 * first : 2 * end],
                    self.block.terms[term_ends[first] : term_ends[end]],
                    self.block.counts[first:end],
                ),
            )

    def with_terms_of(self, vocabulary: dict[str, int]) -> tuple[Self, dict[str, int]]:
        """The same and its vocabulary; both without the terms that no passage has, if those are most of it."""
        used = np.zeros(len(vocabulary), bool)
        used[self.block.terms] = True
        if 2 * used.sum() >= len(vocabulary):
            return self, vocabulary
        renumbered = (np.cumsum(used) - 1).astype(np.int32)
        left = {term: int(renumbered[number]) for term, number in vocabulary.items() if used[number]}
        return type(self)(self.generations, replace(self.block, terms=renumbered[self.block.terms])), left

    @cached_property
    def documents(self) -> dict[str, range]:
        """The numbers of each document's passages, by its id."""
        numbers = {name: range(first, first + self.generations[name]) for name, first in self._first.items()}
        return {self[some.start].document_id: some for some in numbers.values() if some}

    def terms_of(self, number: int) -> Numbers:
        """The numbers of a passage's terms, with repetitions."""
        ends = self._term_ends
        return self.block.terms[int(ends[number - 1]) if number else 0 : int(ends[number])]

    @cached_property
    def _term_ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.block.counts, dtype=np.int64)

    def spans(self, numbers: Sequence[int]) -> list[tuple[str, int, int]]:
        """For each passage the id of its document, and where it starts and ends there; no passage is parsed."""
        firsts, names = self._documents_in_order
        at = np.searchsorted(firsts, numbers, side="right") - 1
        bounds = self.block.bounds.reshape(-1, 2)[numbers].tolist()
        return [(names[document], start, end) for document, (start, end) in zip(at.tolist(), bounds, strict=True)]

    def bounds(self, numbers: range) -> tuple[Numbers, Numbers]:
        """Where each of these passages starts and ends in its document; no passage is parsed."""
        starts, ends = self.block.bounds.reshape(-1, 2)[numbers.start : numbers.stop].T
        return starts, ends

    def holding(self, stretch: tuple[str, int, int]) -> dict[int, tuple[str, int, int]]:
        """The numbers and spans of the passages that hold all of a document between a start and an end."""
        document, start, end = stretch
        numbers = self.documents.get(document, range(0))
        starts, ends = self.bounds(numbers)
        found = np.flatnonzero((starts <= start) & (ends >= end))
        return {numbers[i]: (document, int(starts[i]), int(ends[i])) for i in found.tolist()}

    @cached_property
    def _documents_in_order(self) -> tuple[Numbers, list[str]]:
        """The number of each document's first passage, and its id."""
        return np.array([numbers.start for numbers in self.documents.values()], np.int32), list(self.documents)

    def place_of(self, number: int) -> tuple[str, int]:
        """The passage's generation, and its number there."""
        name = self._names[bisect_right(self._starts, number) - 1]
        return name, number - self._first[name]

    def number_of(self, place: tuple[str, int]) -> int | None:
        """Where the passage stands here that has this number in this generation; None if there is none."""
        generation, number = place
        first = self._first.get(generation)
        return None if first is None or number >= self.generations[generation] else first + number

    def save(self, folder: Path) -> None:
        (folder / LINES).write_bytes(self._lines)
        for name, numbers in self._files(self.block):
            np.save(folder / name, numbers)
        (folder / GENERATIONS).write_text(json.dumps(self.generations))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What was saved there.

        Raises:
            OSError, ValueError: there is nothing, or it is damaged.
        """
        generations = json.loads((folder / GENERATIONS).read_bytes())
        sizes, bounds, counts = (np.load(folder / name) for name in (LINE_SIZES, BOUNDS, TERM_COUNTS))
        terms = np.load(folder / TERMS, mmap_mode="r")
        found = cls(generations, Block(b"", sizes, bounds, terms, counts), _mapped(folder / LINES))
        if not len(found) == len(counts) == len(bounds) // 2 or found._line_start(len(found)) != len(found._lines):
            raise ValueError(f"{folder}: the files don't fit each other")
        return found

    def __len__(self) -> int:
        return len(self.block.sizes)

    @overload
    def __getitem__(self, number: int) -> Passage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Passage]: ...
    def __getitem__(self, number: int | slice) -> Passage | Sequence[Passage]:
        if isinstance(number, slice):
            return [self._parsed(one) for one in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._parsed(number)

    def _line_start(self, number: int) -> int:
        return int(self._line_ends[number - 1]) if number else 0

    @staticmethod
    def _files(block: Block) -> Iterable[tuple[str, Numbers]]:
        return (LINE_SIZES, block.sizes), (BOUNDS, block.bounds), (TERMS, block.terms), (TERM_COUNTS, block.counts)


def _remembering(lines: bytes | mmap.mmap, ends: NDArray[np.int64]) -> Callable[[int], Passage]:
    """Parses the passage of a number, and remembers some.

    It holds no version of the store: a version that holds it would else stay in memory after it was replaced.
    """

    @lru_cache(maxsize=REMEMBERED)
    def parsed(number: int) -> Passage:
        return passage_of(lines[int(ends[number - 1]) if number else 0 : int(ends[number])])

    return parsed


def _terms_of(passage: Passage) -> list[str]:
    """What a passage is found by; its document's name is part of it."""
    return terms(f"{PurePosixPath(passage.source).stem}\n{passage.indexed}")


def _mapped(file: Path) -> bytes | mmap.mmap:
    if not file.stat().st_size:
        return b""  # which can't be mapped
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
