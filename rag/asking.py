"""How a question is to be answered, what was found for it, and its answer while it is made."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from kb.records import Answer, Filter, Mode
from models.chat import Conversation, Sampling
from rag.pieces import Piece
from rag.retrieve import Found

__all__ = ["AnswerStream", "Asking", "Evidence"]

ENOUGH = 0.5  # the probability that the documents hold an answer, from which on one is given


@dataclass(frozen=True)
class Asking:
    """How a question is to be answered; `history` are the turns before it, without retrieved passages.

    `adapter` is a loaded adapter's name, "default" or "none": the default one writes, but quotes are judged by the base
    alone unless an adapter is named, since one that was taught to answer is a worse judge (docs/answers.md). What is
    None is the answerer's to choose.
    """

    mode: Mode = "rag"
    adapter: str | None = "default"
    top_k: int | None = None
    within: Filter | None = None
    history: Conversation = ()
    max_new_tokens: int | None = None
    sampling: Sampling | None = None
    stop: Sequence[str] = ()


@dataclass(frozen=True)
class Evidence:
    """What retrieval found for a question, and the quotable pieces of it that may answer."""

    found: Found
    pieces: tuple[Piece, ...]

    @property
    def answerable(self) -> bool:
        return self.found.answerable >= ENOUGH and bool(self.pieces)


class AnswerStream:
    """An answer being made: iterate for its text, piece by piece; `answer` waits for the whole.

    Closing it, or leaving its iteration, stops the model within a step.
    """

    def __init__(self, writing: Generator[str, None, Answer]) -> None:
        self._writing = writing
        self._answer: Answer | None = None

    def __iter__(self) -> Iterator[str]:
        self._answer = yield from self._writing

    def close(self) -> None:
        self._writing.close()

    @property
    def answer(self) -> Answer:
        if self._answer is None:
            for _ in self:
                pass
        assert self._answer is not None
        return self._answer
