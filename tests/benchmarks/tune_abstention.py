"""Fits the probability that a knowledge base answers a question, and says what it does on questions not fitted on.

    python -m tests.benchmarks.tune_abstention --corpus CORPUS --reading READING QUESTIONS.jsonl…

Learns from questions that were written for this, about the guide (`questions/abstention_training.jsonl`) and about six
other small knowledge bases (`questions/fields`), from those asked about the guide before (`questions/guide_*.jsonl`),
and from held-out reading questions over passages of which every fourth is left out. Prints the constants for
rag/answerable.py, and a table in Markdown for docs/retrieval.md: what is learnt from by constants that are fitted
without it; the last of those asked about the guide and the files named are only measured.
"""

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from api.services import Services
from kb.settings import SOURCES, load_settings
from models.corpus import read_corpus, read_rows
from models.embedding_sources import READING_HELD_OUT
from rag.answerable import Measures
from rag.evaluate import GradedQuestion, read_graded

QUESTIONS = Path(__file__).parent / "questions"
TRAINING, FIELDS = QUESTIONS / "abstention_training.jsonl", QUESTIONS / "fields"
JUDGED_BY = QUESTIONS / "guide_blind_eleventh.jsonl"  # asked when all was done
ASKED_BEFORE = (
    *(file for file in sorted(QUESTIONS.glob("guide_*.jsonl")) if file != JUDGED_BY),
    QUESTIONS.parents[1] / "guide_questions.jsonl",
)
# What there is of each kind, whatever was written: not quite half of the questions have an answer, so that those of
# authors that were left out are refused and abstained from as they should be at 0.5; and of those without one some ask
# of a thing what is not said of it, some of another thing in the field, some of anything.
KINDS = {"answered": 0.85, "near": 0.4, "topic": 0.35, "far": 0.25}
GUIDE = 3.0  # how much each of the two groups of questions about the guide weighs, beside every other knowledge base
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
FOLDS = 10
PASSAGES, ASKED, FAR = 300, 600, 100  # of the reading set


@dataclass(frozen=True)
class Case:
    """A question's measures in one knowledge base, of the whole first, then without each clause.

    `kind` says whether it holds the answer.
    """

    set: str
    kind: str
    ways: tuple[Measures, ...]

    @property
    def answered(self) -> bool:
        return self.kind == "answered"


def asked(services: Services, name: str, questions: Sequence[GradedQuestion]) -> Iterator[Case]:
    """What a search measures; `kind` is near for every question that has no answer unless it says otherwise."""
    taken: list[Measures] = []

    def take(measures: Measures) -> float:
        taken.append(measures)
        return 0.0

    with patch("rag.answerable.probability", take):
        for question in questions:
            taken.clear()
            services.search(question.text, 8)
            kind = question.kind if question.kind in KINDS else "answered" if question.has_answer else "near"
            yield Case(name, kind, tuple(taken))


def set_name(file: Path) -> str:
    return f"{file.resolve().parent.name}/{file.stem}"


def about_the_guide(files: Sequence[Path]) -> Iterator[Case]:
    with tempfile.TemporaryDirectory() as home, Services(load_settings(home=Path(home))) as services:
        list(services.pipeline.ingest([SOURCES]))
        for file in files:
            yield from asked(services, set_name(file), read_graded(file))


def about_texts(name: str, texts: Mapping[str, str], questions: Sequence[GradedQuestion]) -> Iterator[Case]:
    """The same over a knowledge base of these texts by name."""
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder, "documents")
        documents.mkdir()
        for file, text in texts.items():
            (documents / f"{file}.md").write_text(text, encoding="utf-8")
        with Services(load_settings(home=Path(folder, "home"))) as services:
            list(services.pipeline.ingest([documents]))
            yield from asked(services, name, questions)


def about_fields(corpus: Path) -> Iterator[Case]:
    of_field: dict[str, list[str]] = json.loads((FIELDS / "documents.json").read_text(encoding="utf-8"))
    wanted = {name for names in of_field.values() for name in names}
    found = ((f"{each.collection}/{each.name}", each.text) for each in read_corpus(corpus, ("zh", "zh_sharealike")))
    texts = {name: text for name, text in found if name in wanted}
    for field, names in of_field.items():
        called = {Path(name).name.partition(".")[0] + str(number): texts[name] for number, name in enumerate(names)}
        yield from about_texts(field, called, read_graded(FIELDS / f"{field}.jsonl"))


def about_reading(reading: Path, seed: int = 1) -> Iterator[Case]:
    rows = list(islice(read_rows(reading / f"{READING_HELD_OUT}.corpus.jsonl.xz"), PASSAGES))
    texts = {row["id"]: f"# {row['title']}\n\n{row['text']}\n" for i, row in enumerate(rows) if i % 4}
    passages = {row["id"] for row in rows}
    questions = list(read_rows(reading / f"{READING_HELD_OUT}.qa.jsonl.xz"))
    inside = [row for row in questions if row["context_id"] in passages]
    outside = [row for row in questions if row["context_id"] not in passages]
    chosen = random.Random(seed)
    kinds = [
        *((row, "answered" if row["context_id"] in texts else "near") for row in chosen.sample(inside, ASKED)),
        *((row, "far") for row in chosen.sample(outside, FAR)),
    ]
    yield from about_texts("reading", texts, [GradedQuestion(row["question"], kind=kind) for row, kind in kinds])


def fitted(cases: Sequence[Case]) -> NDArray[np.float64]:
    """Intercept and weights of the logistic regression."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    before = {set_name(file) for file in ASKED_BEFORE}
    groups = ["before" if case.set in before else case.set for case in cases]
    counts = Counter((group, case.kind) for group, case in zip(groups, cases, strict=True))
    share = {"before": GUIDE, set_name(TRAINING): GUIDE}
    weights = np.array(
        [
            KINDS[case.kind] * share.get(group, 1.0) / counts[group, case.kind]
            for group, case in zip(groups, cases, strict=True)
        ]
    )
    measures = np.array([case.ways[0] for case in cases], float)
    middle, spread = measures.mean(axis=0), measures.std(axis=0)
    model = LogisticRegression(max_iter=1000)
    model.fit((measures - middle) / spread, [case.answered for case in cases], weights / weights.mean())
    slopes = model.coef_[0] / spread
    return np.concatenate([model.intercept_ - slopes @ middle, slopes])


def said(constants: NDArray[np.float64], cases: Sequence[Case]) -> NDArray[np.float64]:
    """The probabilities [cases]."""
    best = [max(constants[0] + np.array(case.ways, float) @ constants[1:]) for case in cases]
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.array(best)))
    return found


def said_by_others(cases: Sequence[Case]) -> NDArray[np.float64]:
    """The probabilities [cases] by constants that are fitted without the case.

    Each of the sets asked about the guide before is left out as a whole, for it is another author's; of the rest a
    tenth at a time.
    """
    sets = [set_name(file) for file in ASKED_BEFORE]
    folds = np.random.default_rng(1).permutation(len(cases)) % FOLDS
    for place, case in enumerate(cases):
        if case.set in sets:
            folds[place] = FOLDS + sets.index(case.set)
    found = np.zeros(len(cases))
    for fold in np.unique(folds):
        left = [case for case, of in zip(cases, folds, strict=True) if of != fold]
        found[folds == fold] = said(fitted(left), cases)[folds == fold]
    return found


def table(shown: dict[str, tuple[Sequence[Case], NDArray[np.float64]]]) -> None:
    """Prints for each set and threshold what share is refused though answered, and abstained from of the rest."""
    print("\n| abstain below | " + " | ".join(shown) + " |\n|---|" + "---|" * len(shown))
    for threshold in THRESHOLDS:
        cells = []
        for cases, found in shown.values():
            answered = np.array([case.answered for case in cases])
            refused, abstained = (
                f"{(found[some] < threshold).mean():.3f}" if some.any() else "–" for some in (answered, ~answered)
            )
            cells.append(f"{refused} / {abstained}")
        print(f"| {threshold} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("questions", type=Path, nargs="*")
    given = parser.parse_args()
    measured = (JUDGED_BY, *given.questions)
    of_guide = list(about_the_guide([TRAINING, *ASKED_BEFORE, *measured]))
    only_measured = {set_name(file) for file in measured}
    learnt = [case for case in of_guide if case.set not in only_measured]
    learnt += [*about_fields(given.corpus), *about_reading(given.reading)]
    constants = fitted(learnt)
    crossed = said_by_others(learnt)
    names = ("intercept", *Measures._fields)
    print(json.dumps({name: round(each, 2) for name, each in zip(names, constants, strict=True)}))
    shown: dict[str, tuple[Sequence[Case], NDArray[np.float64]]] = {}
    for name in dict.fromkeys(case.set for case in learnt):
        places = [place for place, case in enumerate(learnt) if case.set == name]
        shown[name] = [learnt[place] for place in places], crossed[places]
    for file in measured:
        some = [case for case in of_guide if case.set == set_name(file)]
        shown[set_name(file)] = some, said(constants, some)
    table(shown)


if __name__ == "__main__":
    main()
