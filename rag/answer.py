"""Answers a question: from retrieved passages in verbatim quotes with citations, or plainly from the model alone."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kb.records import Answer, Document, Hit, Mode, Usage
from kb.settings import Settings
from models.generate import ChatModel
from models.sampling import Sampling
from rag.cite import cite
from rag.pieces import Piece, pieces
from rag.prompt import ask_back, plain
from rag.quote import Weights, answering, choose, rank, shortlist, shown
from rag.retrieve import Found, Retriever

PLAIN_TOKENS = 128
PLAIN_REPETITION = 1.2


@dataclass(frozen=True)
class Evidence:
    """What retrieval found for a question, and the quotable pieces of it that may answer."""

    found: Found
    pieces: tuple[Piece, ...]

    @property
    def answerable(self) -> bool:
        return self.found.answerable >= 0.5 and bool(self.pieces)


class Answerer:
    """Joins the retriever, the documents and the chat model; the model is loaded when it is first needed."""

    def __init__(
        self,
        retriever: Retriever,
        document: Callable[[str], Document],
        chat: Callable[[], ChatModel],
        settings: Settings,
        weights: Weights | None = None,
    ) -> None:
        self.retriever, self.document, self.chat, self.settings = retriever, document, chat, settings
        self.weights = weights or Weights()

    def ask(
        self, question: str, *, mode: Mode = "rag", adapter: str | None = "default", top_k: int | None = None
    ) -> Answer:
        """Answers one question; `adapter` is a loaded adapter's name, "default" or "none".

        Raises:
            NotFoundError: no such adapter.
        """
        began = time.perf_counter()
        chat = self.chat()
        name = chat.adapter_name(adapter)
        loaded = time.perf_counter()
        if mode == "plain":
            answer = self.plain(question, [name])[0]
        else:
            evidence = self.evidence(question, top_k)
            answer = self.quote(question, evidence, [name])[0]
        timings = {"load": loaded - began, "total": time.perf_counter() - began}
        return _timed(answer, {stage: 1000 * seconds for stage, seconds in timings.items()})

    def evidence(self, question: str, top_k: int | None = None) -> Evidence:
        found = self.retriever.search(question, top_k or self.settings.top_k)
        return Evidence(found, tuple(shortlist(question, pieces(found.hits), self.weights)))

    def plain(self, question: str, adapters: Sequence[str | None], seed: int = 0) -> list[Answer]:
        """One answer for each adapter, without retrieval, from one batch."""
        chat = self.chat()
        began = time.perf_counter()
        written = chat.generate(
            [plain(question)] * len(adapters),
            adapters,
            max_new_tokens=PLAIN_TOKENS,
            sampling=Sampling(repetition_penalty=PLAIN_REPETITION, seed=seed),
        )
        spent = {"generate": 1000 * (time.perf_counter() - began)}
        return [
            Answer(
                question=question,
                text=text.text.strip(),
                abstained=False,
                mode="plain",
                style="prose",
                model=chat.name,
                adapter=adapter,
                citations=(),
                hits=(),
                usage=Usage(text.prompt_tokens, text.completion_tokens),
                timings_ms=spent,
            )
            for text, adapter in zip(written, adapters, strict=True)
        ]

    def quote(self, question: str, evidence: Evidence, adapters: Sequence[str | None]) -> list[Answer]:
        """One answer in quotes for each adapter, all pieces scored in one go."""
        chat = self.chat()
        began = time.perf_counter()
        count = len(evidence.pieces) if evidence.answerable else 0
        asked = [ask_back(piece.about, shown(piece)) for piece in evidence.pieces[:count]]
        scored = (
            chat.score(asked * len(adapters), question, [name for name in adapters for _ in asked]) if asked else None
        )
        spent = evidence.found.timings_ms | {"score": 1000 * (time.perf_counter() - began)}
        answers = []
        for i, adapter in enumerate(adapters):
            nats = scored.nats[i * count : (i + 1) * count] if scored is not None else None
            read = scored.tokens // len(adapters) if scored is not None else 0
            answers.append(
                self._quoted(question, evidence, nats, adapter=adapter, usage=Usage(read, 0), timings_ms=spent)
            )
        return answers

    def _quoted(
        self,
        question: str,
        evidence: Evidence,
        nats: NDArray[np.float64] | None,
        *,
        adapter: str | None,
        usage: Usage,
        timings_ms: dict[str, float],
    ) -> Answer:
        chosen: list[Piece] = []
        if nats is not None:
            chosen = choose(evidence.pieces, rank(question, evidence.pieces, nats, self.weights))
        citations = tuple(
            cite(n, piece, self.document(piece.hit.passage.document_id)) for n, piece in enumerate(chosen, 1)
        )
        return Answer(
            question=question,
            text=joined(chosen, question) if chosen else not_said(question),
            abstained=not chosen,
            mode="rag",
            style="quote",
            model=self.chat().name,
            adapter=adapter,
            citations=citations,
            hits=evidence.found.hits,
            usage=usage,
            timings_ms=timings_ms,
        )


def joined(chosen: Sequence[Piece], question: str) -> str:
    """The pieces as one answer, each with its citation's mark."""
    marked = [_marked(answering(piece, question), n) for n, piece in enumerate(chosen, 1)]
    return "\n".join(marked)


def not_said(question: str) -> str:
    """That the knowledge base has no answer, in the question's language."""
    if re.search(r"[\u3400-\u9fff]", question):
        return "知识库里没有这个问题的答案。"
    return "The knowledge base does not answer this."


def hits_text(hits: Sequence[Hit]) -> str:
    """All that was retrieved, as one text to compare answers with."""
    return "\n".join(hit.passage.indexed for hit in hits)


def _marked(text: str, n: int) -> str:
    return f"{text}\n[{n}]" if text.endswith("```") else f"{text} [{n}]"


def _timed(answer: Answer, timings_ms: dict[str, float]) -> Answer:
    return replace(answer, timings_ms={k: round(v, 1) for k, v in (answer.timings_ms | timings_ms).items()})
