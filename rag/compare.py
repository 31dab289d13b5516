"""The same question plain and with retrieval, with and without the adapter, on the same weights and seed."""

import time
from dataclasses import dataclass

from kb.records import Answer
from rag.answer import Answerer, hits_text
from rag.metrics import grounded


@dataclass(frozen=True)
class Variant:
    """One of the four answers; `grounded` is the share of its characters that stand in the retrieved passages.

    `seconds` is what the answer took: the whole batch that it came from and, with retrieval, the search.
    """

    name: str
    answer: Answer
    grounded: float
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Comparison:
    """A question's four answers (two when no adapter is loaded)."""

    question: str
    seed: int
    variants: tuple[Variant, ...]


def compare(question: str, answerer: Answerer, seed: int = 0) -> Comparison:
    """Answers in two batches: both plain answers are written in one, both retrieved ones are made in the other."""
    chat = answerer.chat()
    adapters = [None, chat.adapters[0]] if chat.adapters else [None]
    began = time.perf_counter()
    evidence = answerer.evidence(question)
    retrieved = answerer.retrieved(question, evidence, adapters, seed)
    scored = time.perf_counter()
    written = answerer.plain(question, adapters, seed=seed)
    done = time.perf_counter()
    passages = hits_text(evidence.found.hits)
    variants = [
        Variant(
            name=answer.mode + ("+adapter" if answer.adapter else ""),
            answer=answer,
            grounded=grounded(answer.text, passages) if not answer.abstained else 0.0,
            seconds=round(seconds, 3),
            tokens=answer.usage.prompt_tokens + answer.usage.completion_tokens,
        )
        for answers, seconds in ((written, done - scored), (retrieved, scored - began))
        for answer in answers
    ]
    return Comparison(question, seed, tuple(variants))
