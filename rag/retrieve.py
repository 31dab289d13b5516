"""A question to the passages that answer it: dense and lexical search, fused, without repetitions."""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kb.lexical import LexicalIndex
from kb.records import Filter, Hit, Passage
from kb.spelling import respelled
from kb.store import Store
from models.embed import Embedder
from models.rerank import Reranker
from rag.answerable import LOOKED_INTO, answerable
from rag.cells import NamedCells, Rarity, Span
from rag.filters import Sieve
from rag.fusion import lexical_shares, share_fusion, standout, standouts
from rag.lines import LineReader
from rag.words import Held, asked

__all__ = ["Found", "Retriever"]

STAGES = ("embed", "dense", "lexical", "fuse")  # of a search, as they are timed
DEPTH = 50  # how many passages each search gives to the fusion
LOOKED_AT_ALONE = 1000  # so few allowed passages are compared one by one; of more, the nearest of all are sifted
READ = 8  # how many of the best are read, word by word and line by line
REREAD = 20  # how many of the best a reranker orders anew
LEXICAL_WEIGHT, DENSE_WEIGHT = 1.0, 0.4  # chosen by tests/benchmarks/tune_retrieval.py
LINE_SHARE, SAID_SHARE = 0.25, 0.25
CELL_WEIGHT = 0.4  # chosen by tests/benchmarks/table_questions.py

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class Found:
    """What a search found, best first.

    `answerable` is the probability that the knowledge base holds an answer; `asked` is the question as it was
    understood, with misspelt identifiers put right.
    """

    hits: tuple[Hit, ...]
    timings_ms: dict[str, float]
    answerable: float
    asked: str


class Retriever:
    """Searches one version of the store; made anew when the store has changed."""

    def __init__(
        self, store: Store, lexical: LexicalIndex, embedder: Embedder, reranker: Reranker | None = None
    ) -> None:
        """Joins the two searches; what they find is ordered anew by the reranker, if there is one.

        Raises:
            StoreError: the store's vectors are another embedding model's.
        """
        store.require_embedding(embedder.fingerprint)
        self._store, self._lexical, self._embedder = store, lexical, embedder
        self._reranker, self._reread = reranker, REREAD if reranker else 0
        self._sieve = Sieve(lexical.passages)
        self._cells = NamedCells(store.tables)
        self._lines = LineReader(store.lines, embedder)

    def search(self, question: str, k: int = 8, within: Filter | None = None) -> Found:
        """The best `k` passages that `within` allows, no two of which overlap. A hit's score is from 0 to 1."""
        marks = [time.perf_counter()]
        question = respelled(question, self._lexical.vocabulary)
        vector = self._embedder.embed_query(question)
        marks.append(time.perf_counter())
        allowed = self._sieve.allowed(within)
        dense = self._nearest(vector, allowed)
        marks.append(time.perf_counter())
        lexical = self._lexical.numbers(question, DEPTH, allowed)
        rarity = self._lexical.rarity(question)
        marks.append(time.perf_counter())
        fused, numbers = self._fused(question, dense, lexical, rarity, allowed)
        background = min((cosine for _, cosine in dense), default=0.0)
        ordered = self._read(question, vector, fused, numbers, background)
        apart = without_overlaps(ordered, max(k, self._reread, 1))
        best = [self._held(hit, numbers) for hit in apart[:LOOKED_INTO]]
        likely = answerable(question, best, self._lexical.vocabulary) if best else 0.0
        kept = self._reranked(question, apart)[:k]
        marks.append(time.perf_counter())
        timings = {stage: 1000 * (end - start) for stage, (start, end) in zip(STAGES, pairwise(marks), strict=True)}
        return Found(hits=tuple(kept), timings_ms=timings, answerable=likely, asked=question)

    def _fused(
        self,
        question: str,
        dense: Sequence[tuple[int, float]],
        lexical: Sequence[tuple[int, float]],
        rarity: Rarity,
        allowed: NDArray[np.bool_] | None,
    ) -> tuple[Iterator[Hit], dict[Span, int]]:
        """All that was found, and what has a row that the question names, best first; and the number of each by span.

        Numbers are those of passages in the word index, and `allowed` [passages] says which of them may be found.
        """
        passages = self._lexical.passages
        found = list(dict.fromkeys(number for number, _ in (*lexical, *dense)))
        spans = dict(zip(found, passages.spans(found), strict=True))
        named = self._cells.shares(question, rarity, spans, passages.holding)
        if allowed is not None:
            named = {number: share for number, share in named.items() if allowed[number]}
        unfound = [number for number in named if number not in spans]
        spans |= zip(unfound, passages.spans(unfound), strict=True)
        ideal = sum(weight for _, weight in rarity)
        fused = fuse(dense, lexical, ideal, passages.__getitem__, named=named)
        return fused, {span: number for number, span in spans.items()}

    def _held(self, hit: Hit, numbers: Mapping[Span, int]) -> Held:
        return Held(hit.passage.indexed, self._lexical.terms_of(numbers[_span(hit)]))

    def _read(
        self,
        question: str,
        vector: NDArray[np.float32],
        fused: Iterator[Hit],
        numbers: Mapping[Span, int],
        background: float,
    ) -> Iterator[Hit]:
        """All hits; the best in an order that counts their best lines too, and how much of the question they say.

        The others are not read and stay behind.
        """
        best, words = list(islice(fused, READ)), asked(question)
        lines = self._best_lines(vector, best, numbers, background) if self._embedder.quick else [0.0] * len(best)
        said = [words.share_said(self._held(hit, numbers)) for hit in best]
        read = [replace(hit, score=read_score(hit.score, *each)) for hit, *each in zip(best, lines, said, strict=True)]
        unread = (replace(hit, score=read_score(hit.score, 0.0, 0.0)) for hit in fused)
        return chain(sorted(read, key=lambda hit: -hit.score), unread)

    def _best_lines(
        self, vector: NDArray[np.float32], best: Sequence[Hit], numbers: Mapping[Span, int], background: float
    ) -> list[float]:
        places = [self._lexical.passages.place_of(numbers[_span(hit)]) for hit in best]
        lines = self._lines.best(vector, [(place, hit.passage) for place, hit in zip(places, best, strict=True)])
        return [standout(line, background) for line in lines]

    def _reranked(self, question: str, hits: list[Hit]) -> list[Hit]:
        if self._reranker is None:
            return hits
        scores = self._reranker.scores(question, [hit.passage.indexed for hit in hits])
        scored = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -hit.score)

    def neighbours(self, passage: Passage, count: int = 1) -> tuple[tuple[Passage, ...], tuple[Passage, ...]]:
        """The `count` passages before a passage in its document and those after it, each in the order of the text.

        None of them overlaps another or the passage itself; of a table and its rows the table counts, unless the
        passage is one of the rows.
        """
        passages = self._lexical.passages
        numbers = passages.documents.get(passage.document_id, range(0))
        starts, ends = passages.bounds(numbers)
        nearest_first = np.lexsort((starts, -ends))
        above = nearest_first[ends[nearest_first] <= passage.start]
        below = np.flatnonzero(starts >= passage.end)
        before, after = (_following((passages[numbers[i]] for i in some.tolist()), count) for some in (above, below))
        return tuple(reversed(before)), tuple(after)

    def _nearest(self, vector: NDArray[np.float32], allowed: NDArray[np.bool_] | None) -> list[tuple[int, float]]:
        """The numbers that the passages which the embedding finds have in the word index."""
        passages, among, wanted = self._lexical.passages, None, DEPTH
        if allowed is not None and allowed.sum() <= LOOKED_AT_ALONE:
            among = [passages.place_of(int(number)) for number in np.flatnonzero(allowed)]
        while True:
            places = self._store.nearest_places(vector, wanted, among)
            numbers = ((passages.number_of(place), score) for place, score in places)
            found = [(n, score) for n, score in numbers if n is not None and (allowed is None or allowed[n])]
            if allowed is None or len(found) >= DEPTH or len(places) < wanted:
                return found[:DEPTH]
            wanted *= 4


def fuse(
    dense: Sequence[tuple[T, float]],
    lexical: Sequence[tuple[T, float]],
    ideal: float,
    passage_of: Callable[[T], Passage],
    *,
    named: Mapping[T, float] | None = None,
    cell_weight: float = CELL_WEIGHT,
) -> Iterator[Hit]:
    """All that both rankings have, best first, each with the scores that it had there; looked up as it is asked for.

    `ideal` is what a passage with all of the question's terms would come near to in the lexical ranking; `named` has
    the passages with a row that the question names, by how much of it does.
    """
    cosines, bm25 = dict(dense), dict(lexical)
    shares = (lexical_shares(bm25, ideal), standouts(cosines), named or {})
    fused = share_fusion(shares, (LEXICAL_WEIGHT, DENSE_WEIGHT, cell_weight))
    return (Hit(passage_of(each), min(score, 1.0), cosines.get(each), bm25.get(each)) for each, score in fused)


def read_score(score: float, line: float, said: float) -> float:
    """A passage's score with its best line's standout and how much of the question it says, all from 0 to 1."""
    return (1 - SAID_SHARE) * ((1 - LINE_SHARE) * score + LINE_SHARE * line) + SAID_SHARE * said


def _span(hit: Hit) -> Span:
    return hit.passage.document_id, hit.passage.start, hit.passage.end


def without_overlaps(hits: Iterable[Hit], k: int) -> list[Hit]:
    """The first `k` hits that share no text with a better one: a row stands for its table, a table for its rows."""
    kept: list[Hit] = []
    for hit in hits:
        if len(kept) == k:
            break
        if not any(_overlap(hit.passage, other.passage) for other in kept):
            kept.append(hit)
    return kept


def _following(passages: Iterable[Passage], count: int) -> list[Passage]:
    """The first `count` passages that overlap none before them."""
    kept: list[Passage] = []
    for passage in passages:
        if len(kept) == count:
            break
        if not any(_overlap(passage, other) for other in kept):
            kept.append(passage)
    return kept


def _overlap(one: Passage, other: Passage) -> bool:
    same = one.document_id == other.document_id
    return same and max(one.start, other.start) < min(one.end, other.end)
