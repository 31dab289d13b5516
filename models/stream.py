"""Text as it is written: whole characters only, cut before a stop string, cancelled at will."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerBase, StoppingCriteria

from kb.records import Finish
from models.chat import Generation, Sampling, Stream
from models.stops import StopStrings


class TextDecoder:
    """Tokens to text, piece by piece; the pieces joined are the text up to the first stop string.

    What is new is decoded with the piece before it, as in vLLM's `detokenize_incrementally`: a tokenizer may write a
    token in another way at the beginning of a text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str] = ()) -> None:
        self._tokenizer, self._cut = tokenizer, StopStrings(stops)
        self._ids: list[int] = []
        self._before = self._decoded = 0  # where the last piece begins among the ids, and where it ends
        self._whole = ""

    @property
    def text(self) -> str:
        return self._cut.text

    @property
    def stopped(self) -> bool:
        return self._cut.stopped

    def feed(self, token: int) -> str:
        """The new text that can't change any more, maybe none."""
        self._ids.append(token)
        new = self._new()
        if not new or new.endswith("\ufffd"):  # an unfinished character
            return ""
        self._before, self._decoded = self._decoded, len(self._ids)
        self._whole += new
        return self._cut.advance(self._whole)

    def finish(self) -> str:
        """What was held back, without a character that was left unfinished."""
        self._whole += self._new().rstrip("\ufffd")
        return self._cut.advance(self._whole, final=True)

    def _new(self) -> str:
        known = self._decode(self._ids[self._before : self._decoded])
        return self._decode(self._ids[self._before :])[len(known) :]

    def _decode(self, ids: list[int]) -> str:
        return cast("str", self._tokenizer.decode(ids, skip_special_tokens=True))


@dataclass
class Request:
    """A prompt to continue, where its text goes, and what has been written of it."""

    prompt: list[int]
    adapter: str | None
    max_new_tokens: int
    sampling: Sampling
    decoder: TextDecoder
    stream: Stream = field(default_factory=Stream)
    written: list[int] = field(default_factory=list)
    done: bool = False

    @cached_property
    def noise(self) -> torch.Generator:
        """Its own random numbers, which go on where they were when its batch is started again."""
        return torch.Generator().manual_seed(self.sampling.seed)

    def write(self, token: int, stops: Container[int]) -> None:
        """Takes the next token; `stops` are those that end an answer."""
        self.written.append(token)
        if self.stream.cancelled:
            self.finish("cancelled")
        elif token in stops:
            self.finish("stop")
        else:
            self.stream.put(self.decoder.feed(token))
            if self.decoder.stopped:
                self.finish("stop")
            elif len(self.written) == self.max_new_tokens:
                self.finish("length")

    def finish(self, why: Finish) -> None:
        """Sends out what was held back, and the end."""
        self.done = True
        self.stream.put(self.decoder.finish())
        self.stream.put(Generation(self.decoder.text, why, len(self.prompt), len(self.written)))

    def fail(self, error: Exception) -> None:
        """Sends out why there is no more to come."""
        self.done = True
        self.stream.put(error)


class Writing(StoppingCriteria):
    """Sees every step of a batch: hands each row its token and says which rows are done.

    All of them stop when `give_way`, asked after every step, says so.
    """

    def __init__(self, batch: Sequence[Request], stops: Container[int], give_way: Callable[[], bool]) -> None:
        self._batch, self._stops, self._give_way = batch, stops, give_way

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: Any) -> torch.BoolTensor:
        """Whether each row is to stop, [n]."""
        del scores, kwargs
        for request, token in zip(self._batch, input_ids[:, -1].tolist(), strict=True):
            if not request.done:
                request.write(token, self._stops)
        give_way = self._give_way()
        stopping = [give_way or request.done for request in self._batch]
        return cast("torch.BoolTensor", torch.tensor(stopping, device=input_ids.device))
