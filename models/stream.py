"""Text as it is written: whole characters only, cut before a stop string, cancelled at will."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerBase, StoppingCriteria

from kb.records import Finish
from models.sampling import Sampling


@dataclass(frozen=True)
class Generation:
    """What the model wrote for one conversation, why it ended, and what it cost in tokens."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int


class TextDecoder:
    """Tokens to text, piece by piece; the pieces joined are the whole text's decoding up to the first stop string."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str] = ()) -> None:
        self._tokenizer, self._stops = tokenizer, stops
        self._ids: list[int] = []
        self.text, self.stopped = "", False

    def feed(self, token: int) -> str:
        """The new text that can't change any more, maybe none."""
        self._ids.append(token)
        return self._advance(final=False)

    def finish(self) -> str:
        """What was held back."""
        return self._advance(final=True)

    def _advance(self, *, final: bool) -> str:
        if self.stopped:
            return ""
        whole = cast("str", self._tokenizer.decode(self._ids, skip_special_tokens=True))
        cut = min((at for stop in self._stops if (at := whole.find(stop)) >= 0), default=-1)
        if cut >= 0:
            self.stopped, safe = True, whole[:cut]
        else:
            safe = whole if final else self._settled(whole)
        new = safe[len(self.text) :]
        self.text += new
        return new

    def _settled(self, whole: str) -> str:
        """Without an unfinished character and without what may be the beginning of a stop string."""
        settled = whole.rstrip("\ufffd")
        held = (n for stop in self._stops for n in range(1, len(stop)) if settled.endswith(stop[:n]))
        return settled[: len(settled) - max(held, default=0)]


class Stream:
    """One answer being written: iterate for its pieces, or wait for the whole; cancel from any thread."""

    def __init__(self) -> None:
        self._pieces: queue.SimpleQueue[str | Generation | BaseException] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._ended: Generation | None = None

    def __iter__(self) -> Iterator[str]:
        while self._ended is None:
            piece = self._pieces.get()
            if isinstance(piece, BaseException):
                raise piece
            if isinstance(piece, Generation):
                self._ended = piece
            elif piece:
                yield piece

    def result(self) -> Generation:
        """The finished answer; raises what the worker raised."""
        for _ in self:
            pass
        assert self._ended is not None
        return self._ended

    def cancel(self) -> None:
        """Stops the writing within one step."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def put(self, piece: str | Generation | BaseException) -> None:
        """For the writer: a piece of text, then the finished answer or an error, once."""
        self._pieces.put(piece)


@dataclass(frozen=True)
class Request:
    """A prompt to continue, and where its text goes."""

    prompt: list[int]
    adapter: str | None
    max_new_tokens: int
    sampling: Sampling
    decoder: TextDecoder
    stream: Stream = field(default_factory=Stream)


class Writing(StoppingCriteria):
    """Sees every step of a batch: sends out new text and says which rows are done."""

    def __init__(self, batch: Sequence[Request], stops: Sequence[int]) -> None:
        self._batch, self._stops = batch, stops
        self._written = [0] * len(batch)
        self._done = [False] * len(batch)

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: Any) -> torch.BoolTensor:
        """Whether each row is done, [n]."""
        del scores, kwargs
        for row, token in enumerate(input_ids[:, -1].tolist()):
            if not self._done[row]:
                self._step(row, token)
        return cast("torch.BoolTensor", torch.tensor(self._done, device=input_ids.device))

    def _step(self, row: int, token: int) -> None:
        request = self._batch[row]
        self._written[row] += 1
        if request.stream.cancelled:
            self._finish(row, "cancelled")
        elif token in self._stops:
            self._finish(row, "stop")
        else:
            request.stream.put(request.decoder.feed(token))
            if request.decoder.stopped:
                self._finish(row, "stop")
            elif self._written[row] == request.max_new_tokens:
                self._finish(row, "length")

    def _finish(self, row: int, why: Finish) -> None:
        request = self._batch[row]
        self._done[row] = True
        request.stream.put(request.decoder.finish())
        request.stream.put(Generation(request.decoder.text, why, len(request.prompt), self._written[row]))
