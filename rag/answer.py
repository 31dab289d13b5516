"""Answers a question: from retrieved passages, in quotes or in checked prose, or plainly from the model alone."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kb.language import language_of
from kb.records import Answer, Document, Filter, Hit, Mode, Style, Usage
from kb.settings import Settings
from models.chat import Chat, Sampling, Stream
from rag.asking import AnswerStream, Asking, Evidence
from rag.cite import cite, reading
from rag.claims import CheckedWriting
from rag.groups import needed, with_groups
from rag.pieces import Piece, pieces
from rag.prompt import NOT_SAID, ask_back, fitting, plain
from rag.quote import Weights, answering, choose, heading_of_row, rank, shortlist, shown
from rag.retrieve import Retriever

MOST_TOKENS: dict[Mode, int] = {"plain": 128, "rag": 512}
PLAIN_REPETITION = 1.2


class Answerer:
    """Joins the retriever, the documents and the chat model; the model is loaded when it is first needed."""

    def __init__(
        self,
        retriever: Retriever,
        document: Callable[[str], Document],
        chat: Callable[[], Chat],
        settings: Settings,
        weights: Weights | None = None,
    ) -> None:
        self.retriever, self.document, self.chat, self.settings = retriever, document, chat, settings
        self.weights = weights or Weights()

    @property
    def style(self) -> Style:
        """The style set, or else the one that suits the model: a small one is not let write freely."""
        if self.settings.style != "auto":
            return self.settings.style
        return "prose" if self.chat().writes_well else "quote"

    def ask(self, question: str, asking: Asking | None = None) -> Answer:
        """Answers one question.

        Raises:
            NotFoundError: no such adapter.
        """
        return self.stream(question, asking).answer

    def stream(self, question: str, asking: Asking | None = None) -> AnswerStream:
        """Begins to answer a question; what `ask` raises comes with the first piece."""
        return AnswerStream(self._write(question, asking or Asking()))

    def _write(self, question: str, asking: Asking) -> Generator[str, None, Answer]:
        began = time.perf_counter()
        chat = self.chat()
        name = chat.adapter_name(asking.adapter)
        loaded = time.perf_counter()
        if asking.mode == "plain":
            answer = yield from self._as_written(question, name, self._submit_plain(question, name, asking))
        else:
            evidence = self.evidence(question, asking.top_k, asking.within)
            if self.style == "prose" and evidence.answerable:
                written = self._submit(question, evidence, name, asking)
                answer = yield from self._checked(question, evidence, name, written)
            else:
                judge = None if asking.adapter == "default" else name
                answer = self.quote(question, evidence, [judge])[0]
                yield answer.text
        timings = {"load": loaded - began, "total": time.perf_counter() - began}
        return _timed(answer, {stage: 1000 * seconds for stage, seconds in timings.items()})

    def evidence(self, question: str, top_k: int | None = None, within: Filter | None = None) -> Evidence:
        found = self.retriever.search(question, top_k or self.settings.top_k, within)
        candidates = needed(found.asked, with_groups(pieces(found.hits)))
        return Evidence(found, tuple(shortlist(found.asked, candidates, self.weights)))

    def retrieved(
        self, question: str, evidence: Evidence, adapters: Sequence[str | None], seed: int = 0
    ) -> list[Answer]:
        """One answer from the evidence for each adapter, in the answerer's style, written or scored in one batch."""
        if self.style == "quote" or not evidence.answerable:
            return self.quote(question, evidence, adapters)
        asking = Asking(sampling=Sampling(seed=seed))
        begun = [self._submit(question, evidence, name, asking) for name in adapters]
        streams = [
            AnswerStream(self._checked(question, evidence, name, stream))
            for name, stream in zip(adapters, begun, strict=True)
        ]
        return [stream.answer for stream in streams]

    def plain(self, question: str, adapters: Sequence[str | None], seed: int = 0) -> list[Answer]:
        """One answer for each adapter, without retrieval, from one batch."""
        asking = Asking(mode="plain", sampling=Sampling(repetition_penalty=PLAIN_REPETITION, seed=seed))
        begun = [self._submit_plain(question, name, asking) for name in adapters]
        streams = [
            AnswerStream(self._as_written(question, name, stream)) for name, stream in zip(adapters, begun, strict=True)
        ]
        return [stream.answer for stream in streams]

    def _submit_plain(self, question: str, adapter: str | None, asking: Asking) -> Stream:
        return self.chat().submit(
            plain(question, asking.history),
            adapter,
            max_new_tokens=asking.max_new_tokens or MOST_TOKENS["plain"],
            sampling=asking.sampling or Sampling(repetition_penalty=PLAIN_REPETITION),
            stop=asking.stop,
        )

    def _as_written(self, question: str, adapter: str | None, written: Stream) -> Generator[str, None, Answer]:
        """What the model writes, as it is."""
        began = time.perf_counter()
        try:
            yield from written
        finally:
            written.cancel()
        done = written.result()
        return Answer(
            question=question,
            text=done.text.strip(),
            abstained=False,
            mode="plain",
            style="prose",
            model=self.chat().name,
            adapter=adapter,
            citations=(),
            hits=(),
            usage=Usage(done.prompt_tokens, done.completion_tokens),
            timings_ms={"generate": 1000 * (time.perf_counter() - began)},
            finish=done.finish,
        )

    def _submit(self, question: str, evidence: Evidence, adapter: str | None, asking: Asking) -> Stream:
        """Has an answer written from the passages, of which there are as many as the model's window has room for."""
        chat = self.chat()
        most = asking.max_new_tokens or min(MOST_TOKENS["rag"], chat.window // 4)
        return chat.submit(
            fitting(question, evidence.found.hits, asking.history, lambda asked: chat.room(asked) >= most),
            adapter,
            max_new_tokens=most,
            sampling=asking.sampling or Sampling(),
            stop=asking.stop,
        )

    def _checked(
        self, question: str, evidence: Evidence, adapter: str | None, written: Stream
    ) -> Generator[str, None, Answer]:
        """What the model writes, a sentence at a time, with the citations that bear it out."""
        began = time.perf_counter()
        checked = CheckedWriting(evidence.found.hits, reading(self.document))
        try:
            for piece in written:
                if whole := checked.feed(piece):
                    yield whole
        finally:
            written.cancel()
        if rest := checked.finish():
            yield rest
        done, text = written.result(), checked.text.strip()
        return Answer(
            question=question,
            text=text,
            abstained=text == NOT_SAID[language_of(question)],
            mode="rag",
            style="prose",
            model=self.chat().name,
            adapter=adapter,
            citations=tuple(checked.citations),
            hits=evidence.found.hits,
            usage=Usage(done.prompt_tokens, done.completion_tokens),
            timings_ms=evidence.found.timings_ms | {"generate": 1000 * (time.perf_counter() - began)},
            finish=done.finish,
            answerable=evidence.found.answerable,
            understood=evidence.found.asked,
        )

    def quote(self, question: str, evidence: Evidence, adapters: Sequence[str | None]) -> list[Answer]:
        """One answer in quotes for each adapter, all pieces scored in one go."""
        chat = self.chat()
        began = time.perf_counter()
        count = len(evidence.pieces) if evidence.answerable else 0
        backwards = [ask_back(piece.about, shown(piece)) for piece in evidence.pieces[:count]] if chat.scores else []
        names = [name for name in adapters for _ in backwards]
        scored = chat.score(backwards * len(adapters), evidence.found.asked, names) if backwards else None
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
        asked = evidence.found.asked
        if evidence.answerable:
            chosen = choose(asked, evidence.pieces, rank(asked, evidence.pieces, nats, self.weights))
        document = reading(self.document)
        citations = tuple(cite(n, piece, document(piece.hit.passage.document_id)) for n, piece in enumerate(chosen, 1))
        return Answer(
            question=question,
            text=joined(chosen, asked) if chosen else NOT_SAID[language_of(question)],
            abstained=not chosen,
            mode="rag",
            style="quote",
            model=self.chat().name,
            adapter=adapter,
            citations=citations,
            hits=evidence.found.hits,
            usage=usage,
            timings_ms=timings_ms,
            answerable=evidence.found.answerable,
            understood=evidence.found.asked,
        )


def joined(chosen: Sequence[Piece], question: str) -> str:
    """The pieces as one answer, each with its citation's mark; rows below their heading, which they share."""
    headings = ["", *(heading_of_row(piece) for piece in chosen)]
    texts = [
        f"{heading} › {answering(piece, question)}" if heading and heading != before else answering(piece, question)
        for piece, before, heading in zip(chosen, headings, headings[1:], strict=False)
    ]
    return "\n".join(_marked(text, n) for n, text in enumerate(texts, 1))


def hits_text(hits: Sequence[Hit]) -> str:
    """All that was retrieved, as one text to compare answers with."""
    return "\n".join(hit.passage.indexed for hit in hits)


def _marked(text: str, n: int) -> str:
    return f"{text}\n[{n}]" if text.endswith("```") else f"{text} [{n}]"


def _timed(answer: Answer, timings_ms: dict[str, float]) -> Answer:
    return replace(answer, timings_ms={k: round(v, 1) for k, v in (answer.timings_ms | timings_ms).items()})
