"""Lexical search: BM25 over the terms of passages.

The index is derived from the store and kept on disk under the store's version, so that a ready one loads without
reading the store.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kb.analysed import Analysed, Block
from kb.bm25 import bm25_index, idf
from kb.errors import StoreError
from kb.records import Passage
from kb.settings import Settings
from kb.store import Store
from kb.store_tables import record_of
from kb.terms import incidental, terms
from kb.variants import variants_of

__all__ = ["LexicalIndex"]

# Part of an index's place on disk: one written by another analyser or in another form is not found, but built anew.
FORMAT = "6"
VARIANT_WEIGHT = 0.7  # of a term's surest translation, the term itself weighing 1
DRAFT = "draft-"


@dataclass(frozen=True)
class PassageTerms:
    """Tells whether a term is one of a passage's; `vocabulary` numbers all terms, `numbers` are the passage's."""

    vocabulary: Mapping[str, int]
    numbers: frozenset[int]

    def __contains__(self, term: object) -> bool:
        return isinstance(term, str) and self.vocabulary.get(term, -1) in self.numbers


class LexicalIndex:
    """Passages and the BM25 scores of their terms."""

    def __init__(self, bm25: Any, passages: Analysed) -> None:
        self._bm25 = bm25
        self.passages = passages

    @classmethod
    def open(cls, store: Store, settings: Settings) -> Self:
        """The index of what the store holds: from disk if it was built for this version, else built and kept.

        However fast others write meanwhile, it is of one version, the latest one or what was that when it was read.

        Raises:
            StoreError: the store can't be read.
        """
        folder = settings.home / "lexical"
        with suppress(OSError, ValueError):  # not there, just removed, or cut off
            return cls.load(_place(folder, store.version()))
        version, index = cls._renewed(store, _latest(folder))
        with suppress(StoreError):  # where nothing can be written, it is made anew each time
            index.save(_place(folder, version))
        return index

    @classmethod
    def build(cls, passages: Sequence[Passage]) -> Self:
        """The index of these passages, in memory."""
        vocabulary: dict[str, int] = {}
        documents = groupby(passages, lambda passage: passage.document_id)
        blocks = {name: Block.of(list(map(record_of, some)), vocabulary) for name, some in documents}
        return cls._of(blocks, vocabulary)

    @classmethod
    def _of(cls, blocks: Mapping[str, Block], vocabulary: dict[str, int]) -> Self:
        passages, vocabulary = Analysed.join(blocks).with_terms_of(vocabulary)
        return cls(bm25_index(passages.block.terms, passages.block.counts, vocabulary), passages)

    @classmethod
    def _renewed(cls, store: Store, folder: Path | None) -> tuple[str, Self]:
        """The store's version and its index, with what an older one in `folder` has of it already."""
        known: dict[str, Block] = {}
        vocabulary: dict[str, int] = {}
        with suppress(OSError, ValueError):
            if folder:
                old = cls.load(folder)
                known, vocabulary = dict(old.passages.blocks()), old.vocabulary
        version, records = store.records(known)
        blocks = {name: known[name] if new is None else Block.of(new, vocabulary) for name, new in records}
        return version, cls._of(blocks, vocabulary)

    @property
    def vocabulary(self) -> dict[str, int]:
        """Each term with its number."""
        numbers: dict[str, int] = self._bm25.vocab_dict
        return numbers

    def terms_of(self, number: int) -> "PassageTerms":
        """The terms of the passage with this number in `passages`."""
        return PassageTerms(self.vocabulary, frozenset(self.passages.terms_of(number).tolist()))

    def search(self, question: str, k: int) -> list[tuple[Passage, float]]:
        """The `k` passages with the highest scores above zero, best first; equal scores in document order."""
        return [(self.passages[number], score) for number, score in self.numbers(question, k)]

    def numbers(self, question: str, k: int, allowed: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        """The same as `search`, but only the numbers of those passages in `passages`; of those `allowed` [passages]."""
        asked = terms(question)
        if not asked or k < 1 or not len(self.passages):
            return []
        scores = self._scores(asked)
        if allowed is not None:
            scores = np.where(allowed, scores, 0)
        return [(number, float(scores[number])) for number in _best(scores, k)]

    def _scores(self, asked: Sequence[str]) -> NDArray[np.float32]:
        """The scores of all passages [passages]: for each term that of itself or, if higher, of its best variant."""
        known = [term for term in asked if term in self.vocabulary]
        nothing = np.zeros(len(self.passages), np.float32)
        scores: NDArray[np.float32] = self._bm25.get_scores(known) if known else nothing.copy()
        best = nothing
        for term in asked:
            columns = [
                (VARIANT_WEIGHT * weight, *self._column(other))
                for other, weight in variants_of(term)
                if other in self.vocabulary
            ]
            if not columns:
                continue
            for weight, rows, data in columns:
                best[rows] = np.maximum(best[rows], weight * data)
            rows, data = self._column(term)
            best[rows] = np.maximum(best[rows] - data, 0)
            for _, rows, _ in columns:
                scores[rows] += best[rows]
                best[rows] = 0
        return scores

    def _column(self, term: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The passages that have a term, and their scores for it."""
        start, end = self._bounds(term)
        return self._bm25.scores["indices"][start:end], self._bm25.scores["data"][start:end]

    def _bounds(self, term: str) -> tuple[int, int]:
        """Where a term's column starts and ends."""
        number, starts = self.vocabulary.get(term), self._bm25.scores["indptr"]
        return (0, 0) if number is None else (starts.item(number), starts.item(number + 1))

    def rarity(self, question: str) -> list[tuple[str, float]]:
        """The question's terms, repetitions included, with their inverse document frequencies.

        Their sum is what a passage's score comes near to if it holds them all; a term that no passage has counts as
        the rarest.
        """
        beside = incidental(question)
        asked = [term for term in terms(question) if term in self.vocabulary or term not in beside]
        having = np.array([self._having(term) for term in asked])
        return list(zip(asked, idf(len(self.passages), having).tolist(), strict=True))

    def _having(self, term: str) -> float:
        """How many passages have a term, or by weight a variant of it (Darwish and Oard 2003)."""
        others = sum(VARIANT_WEIGHT * weight * self._count(other) for other, weight in variants_of(term))
        return min(self._count(term) + others, len(self.passages))

    def _count(self, term: str) -> int:
        start, end = self._bounds(term)
        return end - start

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote there.

        Raises:
            OSError, ValueError: there is nothing, or it is damaged.
        """
        import bm25s

        return cls(bm25s.BM25.load(folder, show_progress=False), Analysed.load(folder))

    @classmethod
    def _is_kept(cls, folder: Path) -> bool:
        """Whether there is an index, and not a damaged one."""
        try:
            cls.load(folder)
        except (OSError, ValueError):
            return False
        return True

    def save(self, ready: Path) -> None:
        """Writes the index beside its place and then moves it there, whole; indexes of other versions go.

        Raises:
            StoreError: the index can't be written.
        """
        try:
            ready.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=DRAFT, dir=ready.parent, ignore_cleanup_errors=True) as draft:
                self._bm25.save(draft, show_progress=False)
                self.passages.save(Path(draft))
                others = [
                    other for other in ready.parent.iterdir() if other != ready and not other.name.startswith(DRAFT)
                ]
                if not self._is_kept(ready):  # by another process that was faster, and by now others may be reading it
                    shutil.rmtree(ready, ignore_errors=True)
                    with suppress(OSError):
                        Path(draft).rename(ready)
                for other in others:
                    shutil.rmtree(other, ignore_errors=True)
        except OSError as problem:
            raise StoreError(f"{ready}: the word index can't be kept there ({problem.strerror}).") from problem


def _place(folder: Path, version: str) -> Path:
    """Where the index of a version of the store is kept."""
    return folder / f"{version or 'empty'}-{FORMAT}"


def _latest(folder: Path) -> Path | None:
    """An index in this form, whatever the version: there is one at most, and perhaps one that is about to go."""
    return next(folder.glob(f"*-{FORMAT}"), None)


def _best(scores: NDArray[np.float32], k: int) -> list[int]:
    """The places of the `k` highest scores above zero, best first, equal ones in order."""
    if k < len(scores):
        lowest = np.partition(scores, -k)[-k]
        places = np.flatnonzero(scores >= lowest)
    else:
        places = np.arange(len(scores))
    ranked = places[np.argsort(-scores[places], kind="stable")][:k]
    return [int(place) for place in ranked if scores[place] > 0]
