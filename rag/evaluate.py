"""Scores retrieval and answers over questions whose answers are known.

A question may say what a right answer holds (`must`: groups of alternatives, one of each) and what a relevant passage
holds (`gold`: any of these strings). One of the kind `none` has no answer in the documents: abstaining is right.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from kb.errors import InputError, NotFoundError
from kb.records import Answer, Passage
from rag import metrics
from rag.retrieve import Found

__all__ = ["Evaluation", "Graded", "GradedQuestion", "evaluate", "read_graded", "threshold_curve"]

UNANSWERABLE = "none"
THRESHOLDS = tuple(step / 20 for step in range(1, 20))

Scores = dict[str, float | int | None]


@dataclass(frozen=True)
class GradedQuestion:
    """A question with what grades it; `kind` is a name of the author's own, but `none` says that there is no answer."""

    text: str
    id: str | int | None = None
    kind: str = ""
    must: tuple[tuple[str, ...], ...] = ()
    gold: tuple[str, ...] = ()

    @property
    def has_answer(self) -> bool:
        return self.kind != UNANSWERABLE


@dataclass(frozen=True)
class Graded:
    """What became of one question.

    `relevant` has a flag for each passage found, best first, `total` is how many relevant ones could be shown;
    `answerable` is the retriever's probability. `right` and `abstained` are None when no answer was asked for; `quotes`
    says of each quote whether it stands in its source to the letter.
    """

    question: GradedQuestion
    relevant: tuple[bool, ...]
    total: int
    evidence: bool
    chars: int
    answerable: float
    right: bool | None = None
    abstained: bool | None = None
    quotes: tuple[bool, ...] = ()
    answer_chars: int = 0


@dataclass(frozen=True)
class Evaluation:
    """All graded questions, in order."""

    graded: tuple[Graded, ...]
    answers: bool = field(default=True)

    def search(self, kind: str | None = None) -> Scores:
        """Retrieval scores over the questions with gold strings, of one kind or of all."""
        some = [one for one in self._of(kind) if one.question.gold]
        passages = sum(len(one.relevant) for one in some)
        return {
            "questions": len(some),
            **{f"hit@{k}": _mean(metrics.hit(one.relevant, k) for one in some) for k in (1, 3, 5)},
            "mrr": _mean(metrics.reciprocal_rank(one.relevant) for one in some),
            **{f"recall@{k}": _mean(metrics.recall(one.relevant, one.total, k) for one in some) for k in (5, 10)},
            "ndcg@10": _mean(metrics.ndcg(one.relevant, one.total, 10) for one in some),
            f"evidence@{metrics.EVIDENCE_CHARS}": _mean(one.evidence for one in some),
            "mean_passage_chars": round(sum(one.chars for one in some) / passages) if passages else None,
        }

    def ask(self, kind: str | None = None) -> Scores:
        """Answer scores, of one kind or of all; a share of nothing is None."""
        some = [one for one in self._of(kind) if one.abstained is not None]
        answered = [one for one in some if one.question.has_answer]
        return {
            "answerable": len(answered),
            f"fact_recall@{metrics.ANSWER_CHARS}": _mean(bool(one.right) for one in answered),
            "wrongly_abstained": _mean(bool(one.abstained) for one in answered),
            "abstention": _mean(bool(one.abstained) for one in some if not one.question.has_answer),
            "answers_without_citation": sum(not one.abstained and not one.quotes for one in answered),
            "quotes": sum(len(one.quotes) for one in answered),
            "quotes_verbatim": _mean(quote for one in answered for quote in one.quotes),
            "mean_answer_chars": round(fmean(one.answer_chars for one in answered)) if answered else None,
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.question.kind for one in self.graded))

    def _of(self, kind: str | None) -> list[Graded]:
        return [one for one in self.graded if kind in {None, one.question.kind}]

    def report(self) -> dict[str, Any]:
        """Everything as JSON: all scores, those of each kind, the curve of abstaining, and each question."""
        parts: tuple[tuple[str, Callable[[str | None], Scores]], ...] = (("search", self.search),)
        if self.answers:
            parts += (("ask", self.ask),)
        return {
            **{name: scores(None) for name, scores in parts},
            "kinds": {kind: {name: scores(kind) for name, scores in parts} for kind in self.kinds},
            "abstaining": threshold_curve(self.graded),
            "questions": [_line(one) for one in self.graded],
        }


def evaluate(
    questions: Sequence[GradedQuestion],
    search: Callable[[str], Found],
    passages: Iterable[Passage],
    *,
    ask: Callable[[str], Answer] | None = None,
    text_of: Callable[[str], str] | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Evaluation:
    """Searches for every question and, with `ask`, has it answered.

    `passages` are all of the knowledge base; `text_of` gives a document's restored text by its name, and raises
    NotFoundError if there is none. `progress` is told a question, how many are done and how many there are; what it
    raises stops the evaluation.
    """
    known = [(passage, metrics.bare(passage.text)) for passage in passages]
    texts: dict[str, str] = {}

    def verbatim(quote: str, source: str) -> bool:
        if source not in texts:
            try:
                texts[source] = metrics.bare(text_of(source)) if text_of else ""
            except NotFoundError:
                texts[source] = ""
        return bool(metrics.bare(quote)) and metrics.bare(quote) in texts[source]

    graded = []
    for done, question in enumerate(questions):
        progress(question.text, done, len(questions))
        one = _graded_search(question, search(question.text), known)
        graded.append(_graded_answer(one, ask(question.text), verbatim) if ask else one)
    progress("", len(questions), len(questions))
    return Evaluation(tuple(graded), answers=ask is not None)


def _graded_search(question: GradedQuestion, found: Found, known: Iterable[tuple[Passage, str]]) -> Graded:
    texts = [hit.passage.text for hit in found.hits]
    return Graded(
        question,
        relevant=tuple(metrics.holds(text, question.gold) for text in texts),
        total=metrics.showable(known, question.gold) if question.gold else 0,
        evidence=metrics.evidence(texts, question.gold),
        chars=sum(map(len, texts)),
        answerable=found.answerable,
    )


def _graded_answer(one: Graded, answer: Answer, verbatim: Callable[[str, str], bool]) -> Graded:
    right = not answer.abstained and metrics.says(answer.text, one.question.must)
    return Graded(
        **{
            **vars(one),
            "right": right if one.question.has_answer else answer.abstained,
            "abstained": answer.abstained,
            "quotes": tuple(verbatim(citation.quote, citation.source) for citation in answer.citations),
            "answer_chars": len(metrics.unmarked(answer.text)),
        }
    )


def threshold_curve(graded: Sequence[Graded]) -> list[dict[str, float | None]]:
    """For each probability below which one could abstain: what share is answered, and how often that is right.

    `answered` is the share of all questions; `right` the share of those answered whose evidence was found; `refused`
    the share of the questions with an answer that are not answered; `abstained` that of the others.
    """
    points = []
    for threshold in THRESHOLDS:
        answered = [one for one in graded if one.answerable >= threshold]
        points.append(
            {
                "threshold": threshold,
                "answered": _mean(one.answerable >= threshold for one in graded),
                "right": _mean(one.evidence for one in answered),
                "refused": _mean(one.answerable < threshold for one in graded if one.question.has_answer),
                "abstained": _mean(one.answerable < threshold for one in graded if not one.question.has_answer),
            }
        )
    return points


def _line(one: Graded) -> dict[str, Any]:
    rank = next((rank for rank, flag in enumerate(one.relevant, 1) if flag), None)
    line = {
        "id": one.question.id,
        "kind": one.question.kind,
        "question": one.question.text,
        "rank": rank,
        "evidence": one.evidence,
        "answerable": round(one.answerable, 4),
    }
    return line if one.abstained is None else {**line, "right": one.right, "abstained": one.abstained}


def _mean(values: Iterable[float]) -> float | None:
    kept = list(values)
    return round(fmean(kept), 4) if kept else None


def read_graded(file: Path) -> list[GradedQuestion]:
    """The questions of a JSON Lines file with `question` and, if they are there, `id`, `kind`, `must` and `gold`.

    Raises:
        InputError: there is no such file, it holds no question, or a line is something else.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # a text may hold U+2028, which `splitlines` splits at
    except OSError as problem:
        raise InputError(f"{file}: {problem.strerror or problem}. Give a JSON Lines file of questions.") from problem
    except UnicodeDecodeError as problem:
        raise InputError(f"{file}: not UTF-8 at byte {problem.start}. Save the questions as UTF-8.") from problem
    found = [_read(line, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InputError(f'{file}: no questions. Each line is an object like {{"question": "…", "gold": ["…"]}}.')
    return found


def _read(line: str, where: str) -> GradedQuestion:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{where}: not JSON ({problem}). Each line is one JSON object.") from problem
    if not isinstance(row, Mapping) or not isinstance(row.get("question"), str) or not row["question"].strip():
        raise InputError(f'{where}: no "question" with a text. Each line is one JSON object that has one.')
    must, gold, kind = row.get("must", []), row.get("gold", []), row.get("kind", "")
    if not _is_texts(gold):
        raise InputError(f'{where}: "gold" is no list of texts.')
    if not isinstance(must, list) or not all(_is_texts(group) for group in must):
        raise InputError(f'{where}: "must" is no list of lists of texts.')
    if not isinstance(kind, str):
        raise InputError(f'{where}: "kind" is no text.')
    return GradedQuestion(row["question"].strip(), row.get("id"), kind, tuple(map(tuple, must)), tuple(gold))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
