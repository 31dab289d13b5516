"""Measures ways to fuse dense and lexical search.

    python -m tests.benchmarks.tune_retrieval --corpus CORPUS --reading READING

All on text that no model was trained on and that is not the guide: the three tasks of `models.evaluate_embedding`.
Prints a table in Markdown for docs/retrieval.md, where the weights of rag/retrieve.py were chosen.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kb.lexical import LexicalIndex
from kb.records import Passage
from kb.settings import Settings
from models.embed import Embedder, load_embedder
from models.evaluate_embedding import Task, heading_task, reading_task, translation_task
from rag.fusion import lexical_shares, reciprocal_rank_fusion, share_fusion, standouts
from rag.retrieve import DEPTH

PER_TASK = 600

Scored = Sequence[tuple[Passage, float]]
Fusion = Callable[[Scored, Scored, float], list[str]]


@dataclass(frozen=True)
class Searched:
    """One question's two rankings, and the rarity of its terms."""

    dense: list[tuple[Passage, float]]
    lexical: list[tuple[Passage, float]]
    rarity: list[tuple[str, float]]

    @property
    def ideal(self) -> float:
        return sum(weight for _, weight in self.rarity)


class Bench:
    """A knowledge base in memory, of bare texts."""

    def __init__(self, texts: Sequence[str], embedder: Embedder) -> None:
        self._passages = [
            Passage(str(number), str(number), "bench", "prose", text, (), 0, len(text), 1, 1)
            for number, text in enumerate(texts)
        ]
        self._lexical, self._embedder = LexicalIndex.build(self._passages), embedder
        self._vectors = embedder.embed_passages(texts)

    def search(self, question: str) -> Searched:
        """Both rankings."""
        vector = self._embedder.embed_query(question)
        cosines = self._vectors @ vector
        nearest = [(self._passages[place], float(cosines[place])) for place in np.argsort(-cosines)[:DEPTH]]
        return Searched(nearest, self._lexical.search(question, DEPTH), self._lexical.rarity(question))


def by_ranks(dense_weight: float, constant: float) -> Fusion:
    def fused(dense: Scored, lexical: Scored, _: float) -> list[str]:
        rankings = [[passage.id for passage, _ in ranking] for ranking in (lexical, dense)]
        return [name for name, _ in reciprocal_rank_fusion(rankings, (1.0, dense_weight), constant)]

    return fused


def by_shares(lexical_weight: float, dense_weight: float) -> Fusion:
    def fused(dense: Scored, lexical: Scored, ideal: float) -> list[str]:
        shares = (
            lexical_shares({passage.id: score for passage, score in lexical}, ideal),
            standouts({passage.id: score for passage, score in dense}),
        )
        return [name for name, _ in share_fusion(shares, (lexical_weight, dense_weight))]

    return fused


WAYS: dict[str, Fusion] = {
    "BM25 alone": by_shares(1, 0),
    "embedding alone": by_shares(0, 1),
    **{f"ranks, constant {c}, dense {w}": by_ranks(w, c) for c in (5, 60) for w in (0.3, 1.0)},
    **{f"shares, dense {w}": by_shares(1, w) for w in (0.2, 0.3, 0.4, 0.5, 0.7, 1.0)},
}


def compare(tasks: Sequence[Task], embedder: Embedder) -> None:
    """Prints hit@1 / hit@5 / MRR of every way on every task."""
    searched = []
    for task in tasks:
        bench = Bench(task.passages, embedder)
        chosen = random.Random(1).sample(range(len(task.queries)), min(PER_TASK, len(task.queries)))
        searched.append([(bench.search(task.queries[i]), str(task.gold[i])) for i in chosen])
    print("| fusion | " + " | ".join(task.name for task in tasks) + " |\n|---|" + "---|" * len(tasks))
    for name, way in WAYS.items():
        cells = []
        for found in searched:
            ranks = [_rank(way(one.dense, one.lexical, one.ideal), gold) for one, gold in found]
            hits = [np.mean([rank < k for rank in ranks]) for k in (1, 5)]
            cells.append(f"{hits[0]:.3f} / {hits[1]:.3f} / {np.mean([1 / (rank + 1) for rank in ranks]):.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def _rank(order: Sequence[str], gold: str) -> float:
    return order.index(gold) if gold in order else float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--model", help="a sentence-transformers folder or hub id; the embedded one by default")
    given = parser.parse_args()
    embedder = load_embedder(Settings(embedding_model=given.model) if given.model else Settings())
    tasks = (reading_task(given.reading), heading_task(given.corpus), translation_task(given.corpus))
    compare(tasks, embedder)


if __name__ == "__main__":
    main()
