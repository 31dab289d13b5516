"""Lexical search: BM25 (Lucene's variant, Kamphuis et al. 2020) over the terms of passages.

The index is derived from the store and kept on disk under the store's version, so that a ready one loads without
reading the store.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from kb.errors import StoreError
from kb.records import Passage
from kb.settings import Settings
from kb.store import Store
from kb.terms import terms

__all__ = ["LexicalIndex", "terms"]

# Part of an index's place on disk: one written by another analyser or in another form is not found, but built anew.
FORMAT = "2"
DRAFT, LINES, OFFSETS = "draft-", "passages.jsonl", "passages.offsets.npy"
K1, B = 1.2, 0.75


class LexicalIndex:
    """Passages and the BM25 scores of their terms."""

    def __init__(self, bm25: Any, passages: Sequence[Passage]) -> None:
        self._bm25 = bm25
        self._passages = passages

    @classmethod
    def open(cls, store: Store, settings: Settings) -> Self:
        """The index of what the store holds: from disk if it was built for this version, else built and kept.

        Raises:
            StoreError: the store can't be read, or the index can't be written.
        """
        folder = settings.home / "lexical"
        while True:
            version = store.version()
            ready = folder / f"{version or 'empty'}-{FORMAT}"
            with suppress(OSError, ValueError):  # not there, just removed, or cut off
                return cls.load(ready)
            index = cls.build(store.passages())
            if store.version() == version:
                index.save(ready)
                return index

    @classmethod
    def build(cls, passages: Sequence[Passage]) -> Self:
        """The index of these passages, in memory."""
        import bm25s

        bm25 = bm25s.BM25(k1=K1, b=B, method="lucene")
        nothing = [["\0"]]  # bm25s divides by the mean length; no question has this term
        bm25.index([terms(passage.indexed) for passage in passages] or nothing, show_progress=False)
        return cls(bm25, passages)

    def search(self, question: str, k: int) -> list[tuple[Passage, float]]:
        """The `k` passages with the highest scores above zero, best first; equal scores in document order."""
        asked = [term for term in terms(question) if term in self._bm25.vocab_dict]
        if not asked or k < 1:
            return []
        scores: NDArray[np.float32] = self._bm25.get_scores(asked)  # [passages]
        return [(self._passages[number], float(scores[number])) for number in _best(scores, k)]

    def rarity(self, question: str) -> list[tuple[str, float]]:
        """The question's terms, repetitions included, with their inverse document frequencies (Lucene's variant).

        Their sum is what a passage's score comes near to if it holds them all; a term that no passage has counts as
        the rarest.
        """
        starts, passages = self._bm25.scores["indptr"], len(self._passages)
        rarity = []
        for term in terms(question):
            column = self._bm25.vocab_dict.get(term)
            having = 0 if column is None else int(starts[column + 1] - starts[column])
            rarity.append((term, math.log(1 + (passages - having + 0.5) / (having + 0.5))))
        return rarity

    @classmethod
    def load(cls, folder: Path) -> Self:
        import bm25s

        return cls(bm25s.BM25.load(folder, show_progress=False), _SavedPassages(folder))

    def save(self, ready: Path) -> None:
        """Writes the index beside its place and then moves it there, whole; indexes of other versions go.

        Raises:
            StoreError: the index can't be written.
        """
        try:
            ready.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=DRAFT, dir=ready.parent, ignore_cleanup_errors=True) as draft:
                self._bm25.save(draft, show_progress=False)
                _SavedPassages.write(Path(draft), self._passages)
                others = [
                    other for other in ready.parent.iterdir() if other != ready and not other.name.startswith(DRAFT)
                ]
                shutil.rmtree(ready, ignore_errors=True)  # damaged, or it would have been loaded
                with suppress(OSError):  # another process was faster
                    Path(draft).rename(ready)
                for other in others:
                    shutil.rmtree(other, ignore_errors=True)
        except OSError as problem:
            raise StoreError(f"{ready}: the word index can't be kept there ({problem.strerror}).") from problem


class _SavedPassages(Sequence[Passage]):
    """Passages in a file, one JSON object a line; only those asked for are parsed."""

    def __init__(self, folder: Path) -> None:
        self._offsets = np.load(folder / OFFSETS)  # [passages + 1]
        self._lines = (folder / LINES).read_bytes()

    @staticmethod
    def write(folder: Path, passages: Sequence[Passage]) -> None:
        lines = [json.dumps(asdict(passage), ensure_ascii=False).encode() + b"\n" for passage in passages]
        (folder / LINES).write_bytes(b"".join(lines))
        np.save(folder / OFFSETS, np.cumsum([0, *map(len, lines)]))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, number: int) -> Passage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Passage]: ...
    def __getitem__(self, number: int | slice) -> Passage | Sequence[Passage]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        fields = json.loads(self._lines[self._offsets[number] : self._offsets[number + 1]])
        return Passage(**{**fields, "section": tuple(fields["section"]), "header": tuple(fields["header"])})


def _best(scores: NDArray[np.float32], k: int) -> list[int]:
    """The places of the `k` highest scores above zero, best first, equal ones in order."""
    if k < len(scores):
        lowest = np.partition(scores, -k)[-k]
        places = np.flatnonzero(scores >= lowest)
    else:
        places = np.arange(len(scores))
    ranked = places[np.argsort(-scores[places], kind="stable")][:k]
    return [int(place) for place in ranked if scores[place] > 0]
