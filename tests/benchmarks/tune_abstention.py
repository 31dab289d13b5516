"""Fits the probability that a knowledge base answers a question, and says what it does on questions not fitted on.

    python -m tests.benchmarks.tune_abstention --corpus CORPUS --reading READING QUESTIONS.jsonl…

Learns from two kinds of questions. Of held-out text (the tasks of `models.evaluate_embedding`) each question is asked
with its passage in the knowledge base, without it (near), and in another task's knowledge base (far). About the guide
there are `questions/abstention_training.jsonl`: answered by it, near it, and far from it. Prints the constants for
rag/answerable.py, and tables in Markdown for docs/retrieval.md; the files named last are only measured.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from api.services import Services
from kb.settings import SOURCES, load_settings
from models.embed import Embedder
from models.evaluate_embedding import Task, heading_task, reading_task, translation_task
from rag.answerable import Measures
from rag.evaluate import read_graded
from tests.benchmarks.tune_retrieval import Bench

TRAINING = Path(__file__).parent / "questions" / "abstention_training.jsonl"
# Of six in seven questions it is taken that they have an answer: a knowledge base is asked what it is for.
KINDS = {"answered": 9.0, "near": 1.0, "far": 0.5}
GUIDE = 3.0  # how much the questions about the guide weigh, beside each of the other sets
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
FOLDS = 10
REGULARISATION = 3.0  # its inverse: with less, the rare measure of missing numbers would decide alone


@dataclass(frozen=True)
class Case:
    """A question's measures in one knowledge base; `kind` says whether it holds the answer."""

    set: str
    kind: str
    measures: Measures

    @property
    def answered(self) -> bool:
        return self.kind == "answered"


def held_out(tasks: Sequence[Task], embedder: Embedder, seed: int = 3) -> Iterator[Case]:
    """The questions of each task over stretches of its passages, of several sizes."""
    chosen = random.Random(seed)
    for task in tasks:
        for size in (100, 100, 300, 300, len(task.passages)):
            start = chosen.randrange(len(task.passages) - size + 1)
            bench = Bench(task.passages[start : start + size], embedder)
            asked = [(q, g - start) for q, g in zip(task.queries, task.gold, strict=True) if start <= g < start + size]
            for question, gold in chosen.sample(asked, min(80, len(asked))):
                yield Case(task.name, "answered", bench.measures(question))
                yield Case(task.name, "near", bench.measures(question, without=gold))
            for other in tasks:
                if other is not task:
                    yield from (Case(task.name, "far", bench.measures(q)) for q in chosen.sample(other.queries, 40))


def set_name(file: Path) -> str:
    return f"{file.resolve().parent.name}/{file.stem}"


def about_the_guide(services: Services, files: Sequence[Path]) -> Iterator[Case]:
    """What a search takes, as it takes it; `kind` is near for every question that has no answer unless it says far."""
    taken: list[Measures] = []

    def take(measures: Measures) -> float:
        taken.append(measures)
        return 0.0

    with patch("rag.retrieve.probability", take):
        for file in files:
            for question in read_graded(file):
                services.search(question.text, 8)
                kind = question.kind if question.kind in KINDS else "answered" if question.has_answer else "near"
                yield Case(set_name(file), kind, taken.pop())


def fitted(cases: Sequence[Case]) -> NDArray[np.float64]:
    """Intercept and weights of the logistic regression."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    counts = {(case.set, case.kind): 0 for case in cases}
    for case in cases:
        counts[case.set, case.kind] += 1
    weight_of = {
        (name, kind): KINDS[kind] * (GUIDE if name == set_name(TRAINING) else 1) / count
        for (name, kind), count in counts.items()
    }
    weights = np.array([weight_of[case.set, case.kind] for case in cases])
    model = LogisticRegression(C=REGULARISATION, max_iter=1000)
    model.fit([case.measures for case in cases], [case.answered for case in cases], weights / weights.mean())
    return np.concatenate([model.intercept_, model.coef_[0]])


def said(constants: NDArray[np.float64], cases: Sequence[Case]) -> NDArray[np.float64]:
    """The probabilities [cases]."""
    found: NDArray[np.float64] = 1 / (
        1 + np.exp(-(constants[0] + np.array([case.measures for case in cases]) @ constants[1:]))
    )
    return found


def table(shown: dict[str, tuple[Sequence[Case], NDArray[np.float64]]]) -> None:
    """Prints for each set and threshold what share is refused though answered, and abstained from of the rest."""
    print("\n| abstain below | " + " | ".join(shown) + " |\n|---|" + "---|" * len(shown))
    for threshold in THRESHOLDS:
        cells = []
        for cases, found in shown.values():
            answered = np.array([case.answered for case in cases])
            refused, abstained = ((found[some] < threshold).mean() for some in (answered, ~answered))
            cells.append(f"{refused:.3f} / {abstained:.3f}")
        print(f"| {threshold} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("questions", type=Path, nargs="*")
    given = parser.parse_args()
    tasks = (reading_task(given.reading), heading_task(given.corpus), translation_task(given.corpus))
    with tempfile.TemporaryDirectory() as home, Services(load_settings(home=Path(home))) as services:
        list(services.pipeline.ingest([SOURCES]))
        guide = list(about_the_guide(services, [TRAINING]))
        unseen = list(about_the_guide(services, given.questions))
        others = list(held_out(tasks, services.embedder))
    learnt = [*guide, *others]
    constants = fitted(learnt)
    folds = np.random.default_rng(1).permutation(len(learnt)) % FOLDS
    crossed = np.zeros(len(learnt))
    for fold in range(FOLDS):
        left = [case for case, of in zip(learnt, folds, strict=True) if of != fold]
        crossed[folds == fold] = said(fitted(left), learnt)[folds == fold]
    names = ("intercept", *Measures._fields)
    print(json.dumps({name: round(each, 2) for name, each in zip(names, constants, strict=True)}))
    shown: dict[str, tuple[Sequence[Case], NDArray[np.float64]]] = {}
    for name in dict.fromkeys(case.set for case in learnt):
        places = [place for place, case in enumerate(learnt) if case.set == name]
        shown[name] = [learnt[place] for place in places], crossed[places]
    for file in given.questions:
        some = [case for case in unseen if case.set == set_name(file)]
        shown[set_name(file)] = some, said(constants, some)
    table(shown)


if __name__ == "__main__":
    main()
