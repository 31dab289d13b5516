"""The one owner of a loaded chat model: a worker through which every forward pass goes, one batch at a time.

Requests that arrive together are answered in one left-padded batch, each with its own adapter, rule and seed; what one
of them does can't change what another gets.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from kb.errors import BusyError, InputError, ModelError
from models.chat import GREEDY, Conversation, Generation, Sampling, Scored, Stream, chosen_adapter
from models.sampling import RowSampler
from models.stream import Request, TextDecoder, Writing
from models.template import render, stop_ids

BASE = "__base__"
MOST_WAITING = 128
MOST_ROWS = 32
GATHER_SECONDS = 0.003
SMALL_PARAMETERS = 50_000_000
WRITES_WELL = 400_000_000  # the smallest instruction-tuned models that follow one, such as Qwen2.5-0.5B


class ChatModel:
    """A causal language model with its tokenizer and adapters by name, in this process; see `models.chat.Chat`."""

    scores = True

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, adapters: Sequence[str] = ()
    ) -> None:
        self.model, self.tokenizer, self.name, self.adapters = model, tokenizer, name, tuple(adapters)
        self._stops = stop_ids(tokenizer, model.generation_config)
        self._waiting: deque[Request | Callable[[], None]] = deque()
        self._news = threading.Condition()
        self._worker: threading.Thread | None = None
        self._closed = False

    @property
    def window(self) -> int:
        """The longest sequence in tokens that the model was made for."""
        return int(self.model.config.max_position_embeddings)

    @property
    def writes_well(self) -> bool:
        """Whether the model is large enough to be let write freely from passages."""
        return int(self.model.num_parameters()) >= WRITES_WELL

    def room(self, conversation: Conversation) -> int:
        """How many tokens the window has left for an answer to a conversation; below 1: it is too long."""
        return self.window - len(render(self.tokenizer, conversation))

    def adapter_name(self, wanted: str | None) -> str | None:
        return chosen_adapter(self.adapters, wanted)

    def submit(
        self,
        conversation: Conversation,
        adapter: str | None = None,
        *,
        max_new_tokens: int = 128,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
    ) -> Stream:
        request = self._request(conversation, adapter, max_new_tokens, sampling, stop)
        self._enqueue([request])
        return request.stream

    def generate(
        self,
        conversations: Sequence[Conversation],
        adapters: Sequence[str | None],
        *,
        max_new_tokens: int = 128,
        sampling: Sampling = GREEDY,
        stop: Sequence[str] = (),
    ) -> list[Generation]:
        requests = [
            self._request(conversation, adapter, max_new_tokens, sampling, stop)
            for conversation, adapter in zip(conversations, adapters, strict=True)
        ]
        self._enqueue(requests)
        return [request.stream.result() for request in requests]

    def score(
        self,
        conversations: Sequence[Conversation],
        continuation: str,
        adapters: Sequence[str | None],
        *,
        batch_tokens: int = 8192,
    ) -> Scored:
        """The log-likelihood of one continuation after each of n conversations, each with its own adapter.

        A prompt that is too long for the window loses its beginning, never its end or the continuation.
        """
        target = self.tokenizer(continuation, add_special_tokens=False)["input_ids"][: self.window // 2]
        prompts = [render(self.tokenizer, c)[-(self.window - len(target)) :] for c in conversations]
        lengths = [len(prompt) + len(target) for prompt in prompts]
        nats = np.zeros(len(prompts))
        for rows in _batches(lengths, batch_tokens):
            batch, names = [prompts[i] for i in rows], [adapters[i] for i in rows]
            done: Future[NDArray[np.float64]] = Future()
            self._enqueue([_job(done, lambda b=batch, n=names: self._continuation_nats(b, target, n))])  # type: ignore[misc]
            nats[rows] = done.result()
        return Scored(nats, sum(lengths))

    def close(self) -> None:
        """Finishes what was asked for and ends the worker; nothing can be asked afterwards."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._worker is not None:
            self._worker.join()
            atexit.unregister(self.close)

    def _request(
        self,
        conversation: Conversation,
        adapter: str | None,
        max_new_tokens: int,
        sampling: Sampling,
        stop: Sequence[str],
    ) -> Request:
        prompt = render(self.tokenizer, conversation)
        room = self.window - len(prompt)
        if room < 1:
            raise InputError(
                f"The conversation has {len(prompt)} tokens; the model reads at most {self.window}. Shorten it."
            )
        decoder = TextDecoder(self.tokenizer, stop)
        return Request(prompt, adapter, min(max_new_tokens, room), sampling, decoder)

    def _enqueue(self, jobs: Sequence[Request | Callable[[], None]]) -> None:
        with self._news:
            if len(self._waiting) + len(jobs) > MOST_WAITING:
                raise BusyError(f"{len(self._waiting)} requests are waiting for the model. Try again in a few seconds.")
            self._waiting.extend(jobs)
            if self._closed:
                raise ModelError(f"The model {self.name} was closed. Load it again.")
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="chat-model", daemon=True)
                self._worker.start()
                atexit.register(self.close)  # a thread that the interpreter ends inside torch would abort the process
            self._news.notify()

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
            time.sleep(GATHER_SECONDS)
            with self._news:
                job = self._waiting.popleft()
                batch = [job, *self._company()] if isinstance(job, Request) else []
            if isinstance(job, Request):
                self._answer(batch)
            else:
                job()

    def _company(self) -> list[Request]:
        """The requests that wait now and can share a batch with the one that was taken."""
        company: list[Request] = []
        while self._waiting and isinstance(self._waiting[0], Request) and len(company) < MOST_ROWS - 1:
            company.append(cast("Request", self._waiting.popleft()))
        return company

    def _answer(self, batch: Sequence[Request]) -> None:
        try:
            ids, mask = self._left_padded([request.prompt for request in batch])
            longest = max(request.max_new_tokens for request in batch)
            with torch.inference_mode(), self._few_threads():
                cast("Any", self.model).generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=longest,
                    do_sample=False,
                    eos_token_id=self._stops,
                    pad_token_id=self._pad,
                    logits_processor=LogitsProcessorList([RowSampler([r.sampling for r in batch], ids.shape[1])]),
                    stopping_criteria=[Writing(batch, self._stops)],
                    **self._mixed([request.adapter for request in batch]),
                )
        except Exception as problem:  # noqa: BLE001 - whatever it was, every caller must hear of it
            error = ModelError(f"The model {self.name} failed while answering: {problem}")
            error.__cause__ = problem
            for request in batch:
                request.stream.put(error)

    def _continuation_nats(
        self, prompts: list[list[int]], target: list[int], adapters: Sequence[str | None]
    ) -> NDArray[np.float64]:
        ids, mask = self._left_padded([prompt + target for prompt in prompts])  # [n, tokens]
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                logits_to_keep=len(target) + 1,
                use_cache=False,
                **self._mixed(adapters),
            ).logits[:, :-1]  # [n, target, vocabulary]
        chosen = ids[:, -len(target) :].unsqueeze(-1)
        nats = torch.log_softmax(logits.float(), dim=-1).gather(-1, chosen).sum(dim=(1, 2))
        return cast("NDArray[np.float64]", nats.double().cpu().numpy())

    @contextmanager
    def _few_threads(self) -> Iterator[None]:
        """One thread for a small model's steps on the CPU.

        Their operations last microseconds: with more threads, each waits at its end for whichever thread a busy machine
        has set aside, which made answers 15 times slower beside one other program on two cores, and alone no faster.
        """
        threads = torch.get_num_threads()
        if self.model.device.type == "cpu" and self.model.num_parameters() < SMALL_PARAMETERS:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    @property
    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self._stops[0])

    def _left_padded(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask, both [n, longest], on the model's device."""
        width = max(len(row) for row in rows)
        ids = torch.tensor([[self._pad] * (width - len(row)) + row for row in rows], device=self.model.device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self.model.device)
        return ids, mask

    def _mixed(self, adapters: Sequence[str | None]) -> dict[str, list[str]]:
        return {"adapter_names": [name or BASE for name in adapters]} if self.adapters else {}


def _job(done: "Future[Any]", work: Callable[[], Any]) -> Callable[[], None]:
    """Work for the worker whose result, or error, goes to a future."""

    def run() -> None:
        try:
            done.set_result(work())
        except Exception as problem:  # noqa: BLE001 - the caller gets it
            done.set_exception(problem)

    return run


def _batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Rows in order of length, parted so that no padded batch holds more than `budget` tokens."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[row] <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
