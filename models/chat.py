"""What a chat model is to the rest of the program, wherever it runs: the values it takes and gives, and its interface.

Imports no torch, so that an answer from a server does not wait for it.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kb.errors import NotFoundError
from kb.records import Finish


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Conversation = Sequence[Message]


@dataclass(frozen=True)
class Sampling:
    """Temperature 0 is greedy; `top_p` keeps the likeliest tokens that make up that share (Holtzman et al. 2020)."""

    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0


GREEDY = Sampling()


@dataclass(frozen=True)
class Generation:
    """What the model wrote for one conversation, why it ended, and what it cost in tokens."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Scored:
    """Log-likelihoods in nats of one continuation after each of n prompts, and the tokens that were read."""

    nats: NDArray[np.float64]
    tokens: int


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
                self._pieces.put(piece)  # whoever asks again hears it again
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


class Chat(Protocol):
    """A chat model with adapters by name; "none" always means the bare base. Safe to call from any thread.

    `scores` says whether `score` can be had: without it, what a model finds likely has to be left out. `writes_well`
    says whether the model is large enough to be let write freely from passages. `caveats` say, one sentence each, why a
    comparison of base and adapter is not what it seems.
    """

    name: str
    adapters: tuple[str, ...]
    scores: bool
    caveats: tuple[str, ...]

    @property
    def window(self) -> int:
        """The most tokens that prompt and answer may have together."""

    def adapter_name(self, wanted: str | None) -> str | None:
        """The adapter to use: "default" is the first one, "none" or None the bare base.

        Raises:
            NotFoundError: there is no adapter of that name.
        """

    @property
    def writes_well(self) -> bool: ...

    def adapter_share(self, adapter: str) -> float | None:
        """The share of all parameters that are the adapter's; None where that can't be told."""

    def room(self, conversation: Conversation) -> int:
        """How many tokens the window has left for an answer to a conversation; below 1: it is too long."""

    def submit(
        self,
        conversation: Conversation,
        adapter: str | None = None,
        *,
        max_new_tokens: int = 128,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
    ) -> Stream:
        """Begins to answer a conversation; the stream ends at the end of turn, a stop string or `max_new_tokens`.

        Raises:
            BusyError: too many requests are waiting.
            InputError: the conversation leaves no room for an answer in the model's window.
        """

    def generate(
        self,
        conversations: Sequence[Conversation],
        adapters: Sequence[str | None],
        *,
        max_new_tokens: int = 128,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
    ) -> list[Generation]:
        """Answers n conversations together, each with its own adapter or the bare base; raises as `submit` does."""

    def score(self, conversations: Sequence[Conversation], continuation: str, adapters: Sequence[str | None]) -> Scored:
        """The log-likelihood of one continuation after each of n conversations, each with its own adapter.

        Raises:
            ModelError: `scores` is False.
        """

    def close(self) -> None:
        """Finishes what was asked for; nothing can be asked afterwards."""


def chosen_adapter(adapters: Sequence[str], wanted: str | None) -> str | None:
    """`wanted` among `adapters`, as `Chat.adapter_name` says."""
    if wanted == "default":
        return adapters[0] if adapters else None
    if wanted in (None, "none"):
        return None
    if wanted not in adapters:
        there = ", ".join([*adapters, "none"])
        raise NotFoundError(f"No adapter {wanted} is loaded; there are: {there}. GUIDE_ADAPTER loads another.")
    return wanted
