"""A question to the passages that answer it: dense and lexical search, fused, without repetitions."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kb.lexical import LexicalIndex
from kb.records import Hit, Passage
from kb.store import Store
from models.embed import Embedder
from rag.fusion import reciprocal_rank_fusion

__all__ = ["Found", "Retriever"]

DEPTH = 50  # how many passages each search gives to the fusion
LEXICAL_WEIGHT, DENSE_WEIGHT, CONSTANT = 1.0, 0.5, 20.0


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

    def search(self, question: str, k: int = 8) -> Found:
        """The best `k` passages, no two of which overlap."""
        began = time.perf_counter()
        vector = self._embedder.embed_query(question)
        embedded = time.perf_counter()
        dense = self._store.nearest(vector, DEPTH)
        searched = time.perf_counter()
        lexical = self._lexical.search(question, DEPTH)
        ended = time.perf_counter()
        hits = fuse(dense, lexical)
        timings = {"embed": embedded - began, "dense": searched - embedded, "lexical": ended - searched}
        return Found(
            hits=tuple(without_overlaps(hits, k)),
            timings_ms={name: 1000 * seconds for name, seconds in timings.items()},
            answerable=1.0 if hits else 0.0,
        )


def fuse(dense: Sequence[tuple[Passage, float]], lexical: Sequence[tuple[Passage, float]]) -> list[Hit]:
    """All passages of both rankings, best first, each with the scores that it had there."""
    passages = {passage.id: passage for passage, _ in (*lexical, *dense)}
    cosine = {passage.id: score for passage, score in dense}
    bm25 = {passage.id: score for passage, score in lexical}
    fused = reciprocal_rank_fusion([list(bm25), list(cosine)], (LEXICAL_WEIGHT, DENSE_WEIGHT), CONSTANT)
    return [Hit(passages[name], score, cosine.get(name), bm25.get(name)) for name, score in fused]


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
