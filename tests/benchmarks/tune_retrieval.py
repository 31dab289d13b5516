"""Measures ways to fuse dense and lexical search, and fits the probability that a knowledge base answers.

    python -m tests.benchmarks.tune_retrieval --corpus CORPUS --reading READING

All on text that no model was trained on and that is not the guide: the three tasks of `models.evaluate_embedding`.
Prints tables in Markdown for docs/retrieval.md and the constants for rag/retrieve.py and rag/answerable.py.
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
from rag.answerable import Background
from rag.fusion import lexical_shares, reciprocal_rank_fusion, share_fusion, standouts
from rag.retrieve import DEPTH, fuse

PER_TASK = 600
ANSWERABLE = 6.0  # how many questions have an answer for one that has none: a knowledge base is asked what it is for
KINDS = ("answered", "near", "far")

Scored = Sequence[tuple[Passage, float]]
Fusion = Callable[[Scored, Scored, float], list[str]]


@dataclass(frozen=True)
class Searched:
    """One question's two rankings, without the passage left out, the rarity of its terms and its nearest's nearness."""

    dense: list[tuple[Passage, float]]
    lexical: list[tuple[Passage, float]]
    rarity: list[tuple[str, float]]
    nearness: float

    @property
    def ideal(self) -> float:
        return sum(weight for _, weight in self.rarity)

    def measures(self) -> tuple[float, float]:
        """The best fused score and nearness, as the retriever takes them."""
        best = next(fuse(self.dense, self.lexical, self.ideal, lambda passage: passage), None)
        return best.score if best else 0.0, self.nearness


class Bench:
    """A knowledge base in memory, of bare texts."""

    def __init__(self, texts: Sequence[str], embedder: Embedder) -> None:
        self._passages = [
            Passage(str(number), str(number), "bench", "prose", text, (), 0, len(text), 1, 1)
            for number, text in enumerate(texts)
        ]
        self._lexical, self._embedder = LexicalIndex.build(self._passages), embedder
        self._vectors, self._background = embedder.embed_passages(texts), Background(embedder)

    def search(self, question: str, without: int | None = None) -> Searched:
        """Both rankings; `without` leaves one passage out, as if it were not in the knowledge base."""
        vector = self._embedder.embed_query(question)
        cosines = self._vectors @ vector
        nearest = [(self._passages[place], float(cosines[place])) for place in np.argsort(-cosines)[: DEPTH + 1]]
        lexical = self._lexical.search(question, DEPTH + 1)
        dense, lexical = ([hit for hit in hits if hit[0].id != str(without)][:DEPTH] for hits in (nearest, lexical))
        near = self._background.nearness(vector, dense[0][1])
        return Searched(dense, lexical, self._lexical.rarity(question), near)


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


@dataclass(frozen=True)
class Case:
    """A question's measures in one knowledge base; `kind` says whether it holds the answer."""

    task: str
    kind: str
    measures: tuple[float, float]


def cases(tasks: Sequence[Task], embedder: Embedder, seed: int = 3) -> list[Case]:
    """Each question with its passage there, with it left out (near), and in another task's knowledge base (far).

    Knowledge bases are stretches of a task's passages, of several sizes.
    """
    chosen, made = random.Random(seed), list[Case]()
    for task in tasks:
        for size in (100, 100, 300, 300, len(task.passages)):
            start = chosen.randrange(len(task.passages) - size + 1)
            bench = Bench(task.passages[start : start + size], embedder)
            asked = [(q, g - start) for q, g in zip(task.queries, task.gold, strict=True) if start <= g < start + size]
            for question, gold in chosen.sample(asked, min(80, len(asked))):
                made.append(Case(task.name, "answered", bench.search(question).measures()))
                made.append(Case(task.name, "near", bench.search(question, without=gold).measures()))
            for other in tasks:
                if other is not task:
                    made += [
                        Case(task.name, "far", bench.search(q).measures()) for q in chosen.sample(other.queries, 40)
                    ]
    return made


def fit(made: Sequence[Case]) -> None:
    """Prints the logistic regression's constants, all tasks weighing alike, and what its threshold of 0.5 does."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    measures, answered = np.array([case.measures for case in made]), [case.kind == "answered" for case in made]
    prior = {"answered": ANSWERABLE, "near": 0.5, "far": 0.5}
    counts = {(case.task, case.kind): 0 for case in made}
    for case in made:
        counts[case.task, case.kind] += 1
    weights = np.array([prior[case.kind] / counts[case.task, case.kind] for case in made])
    model = LogisticRegression(C=100).fit(measures, answered, sample_weight=weights / weights.mean())
    said = model.predict_proba(measures)[:, 1]
    constants = ", ".join(f"{value:.2f}" for value in (*model.intercept_, *model.coef_[0]))
    print(f"\nINTERCEPT, SHARE, NEARNESS = {constants}\n")
    print("| task | answerable refused | near ones refused | far ones refused |\n|---|---|---|---|")
    for task in dict.fromkeys(case.task for case in made):
        shares = [
            np.mean([p < 0.5 for p, c in zip(said, made, strict=True) if (c.task, c.kind) == (task, kind)])
            for kind in KINDS
        ]
        print(f"| {task} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")
    print("\n| said | was answerable |\n|---|---|")
    for low in np.arange(0, 1, 0.2):
        within = (said >= low) & (said < low + 0.2)
        print(
            f"| {low:.1f} to {low + 0.2:.1f} | {np.average(np.array(answered)[within], weights=weights[within]):.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--model", help="a sentence-transformers folder or hub id; the embedded one by default")
    given = parser.parse_args()
    embedder = load_embedder(Settings(embedding_model=given.model) if given.model else Settings())
    tasks = (reading_task(given.reading), heading_task(given.corpus), translation_task(given.corpus))
    compare(tasks, embedder)
    fit(cases(tasks, embedder))


if __name__ == "__main__":
    main()
