"""Text as it is written: whole characters only, cut before a stop string, cancelled at will."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerBase, StoppingCriteria

from kb.records import Finish
from models.chat import Generation, Sampling, Stream
from models.stops import StopStrings


class TextDecoder:
    """Tokens to text, piece by piece; the pieces joined are the whole text's decoding up to the first stop string."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str] = ()) -> None:
        self._tokenizer, self._cut = tokenizer, StopStrings(stops)
        self._ids: list[int] = []

    @property
    def text(self) -> str:
        return self._cut.text

    @property
    def stopped(self) -> bool:
        return self._cut.stopped

    def feed(self, token: int) -> str:
        """The new text that can't change any more, maybe none."""
        self._ids.append(token)
        return self._cut.advance(self._whole())

    def finish(self) -> str:
        """What was held back."""
        return self._cut.advance(self._whole(), final=True)

    def _whole(self) -> str:
        return cast("str", self._tokenizer.decode(self._ids, skip_special_tokens=True))


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

    def finish(self) -> None:
        """Ends what the model left off before any other end."""
        for row, done in enumerate(self._done):
            if not done:
                self._finish(row, "length")

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
