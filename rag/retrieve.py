"""A question to the passages that answer it: dense and lexical search, fused, without repetitions."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kb.lexical import LexicalIndex
from kb.records import Hit, Passage
from kb.store import Store
from models.embed import Embedder
from rag.answerable import Background, coverage, probability
from rag.fusion import lexical_shares, share_fusion, standouts

__all__ = ["Found", "Retriever"]

DEPTH = 50  # how many passages each search gives to the fusion
READ = 3  # how many of the best are read to tell whether they answer
LEXICAL_WEIGHT, DENSE_WEIGHT = 1.0, 0.4  # chosen by tests/benchmarks/tune_retrieval.py

Scored = Sequence[tuple[Passage, float]]


@dataclass(frozen=True)
class Found:
    """What a search found, best first; `answerable` is the probability that the knowledge base holds an answer."""

    hits: tuple[Hit, ...]
    timings_ms: dict[str, float]
    answerable: float


class Retriever:
    """Searches one version of the store; made anew when the store has changed."""

    def __init__(self, store: Store, lexical: LexicalIndex, embedder: Embedder) -> None:
        """Joins the two searches.

        Raises:
            StoreError: the store's vectors are another embedding model's.
        """
        store.require_embedding(embedder.fingerprint)
        self._store, self._lexical, self._embedder = store, lexical, embedder
        self._background = Background(embedder)

    def search(self, question: str, k: int = 8) -> Found:
        """The best `k` passages, no two of which overlap. A hit's score is from 0 to 1."""
        began = time.perf_counter()
        vector = self._embedder.embed_query(question)
        embedded = time.perf_counter()
        dense = self._nearest(vector)
        searched = time.perf_counter()
        lexical = self._lexical.search(question, DEPTH)
        rarity = self._lexical.rarity(question)
        looked_up = time.perf_counter()
        hits = fuse(dense, lexical, sum(weight for _, weight in rarity))
        covered = coverage(rarity, [hit.passage.indexed for hit in hits[:READ]])
        near = self._background.nearness(vector, dense[0][1]) if dense else 0.0
        ended = time.perf_counter()
        return Found(
            hits=tuple(without_overlaps(hits, k)),
            timings_ms={
                "embed": 1000 * (embedded - began),
                "dense": 1000 * (searched - embedded),
                "lexical": 1000 * (looked_up - searched),
                "fuse": 1000 * (ended - looked_up),
            },
            answerable=probability(covered, near) if hits else 0.0,
        )

    def _nearest(self, vector: NDArray[np.float32]) -> Scored:
        """The passages that the embedding finds, as the word index knows them: it has them at hand."""
        passages = self._lexical.passages
        found = ((passages.number_of(place), score) for place, score in self._store.nearest_places(vector, DEPTH))
        return [(passages[number], score) for number, score in found if number is not None]


def fuse(dense: Scored, lexical: Scored, ideal: float) -> list[Hit]:
    """All passages of both rankings, best first, each with the scores that it had there.

    `ideal` is what a passage with all of the question's terms would come near to in the lexical ranking.
    """
    passages = {passage.id: passage for passage, _ in (*lexical, *dense)}
    cosines = {passage.id: score for passage, score in dense}
    bm25 = {passage.id: score for passage, score in lexical}
    shares = (lexical_shares(bm25, ideal), standouts(cosines))
    fused = share_fusion(shares, (LEXICAL_WEIGHT, DENSE_WEIGHT))
    return [Hit(passages[name], score, cosines.get(name), bm25.get(name)) for name, score in fused]


def without_overlaps(hits: Sequence[Hit], k: int) -> list[Hit]:
    """The first `k` hits that share no text with a better one: a row stands for its table, a table for its rows."""
    kept: list[Hit] = []
    for hit in hits:
        if len(kept) == k:
            break
        if not any(_overlap(hit.passage, other.passage) for other in kept):
            kept.append(hit)
    return kept


def _overlap(one: Passage, other: Passage) -> bool:
    same = one.document_id == other.document_id
    return same and max(one.start, other.start) < min(one.end, other.end)
