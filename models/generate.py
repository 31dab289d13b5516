"""The one owner of a loaded chat model: every forward pass goes through here, one batch at a time."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from kb.errors import InputError, NotFoundError
from models.template import Conversation, render, stop_ids

BASE = "__base__"


@dataclass(frozen=True)
class Generation:
    """What the model wrote for one conversation, and what it cost in tokens."""

    text: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Scored:
    """Log-likelihoods in nats of one continuation after each of n prompts, and the tokens that were read."""

    nats: NDArray[np.float64]
    tokens: int


class ChatModel:
    """A causal language model with its tokenizer and adapters by name; "none" always means the bare base.

    Safe to call from several threads: calls wait for each other, so no request sees another's adapter.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, adapters: Sequence[str] = ()
    ) -> None:
        self.model, self.tokenizer, self.name, self.adapters = model, tokenizer, name, tuple(adapters)
        self._stops = stop_ids(tokenizer, model.generation_config)
        self._turn = threading.Lock()

    @property
    def window(self) -> int:
        """The longest sequence in tokens that the model was made for."""
        return int(self.model.config.max_position_embeddings)

    def adapter_name(self, wanted: str | None) -> str | None:
        """The adapter to use: "default" is the first one, "none" or None the bare base.

        Raises:
            NotFoundError: no adapter of that name is loaded.
        """
        if wanted == "default":
            return self.adapters[0] if self.adapters else None
        if wanted in (None, "none"):
            return None
        if wanted not in self.adapters:
            there = ", ".join([*self.adapters, "none"])
            raise NotFoundError(
                f"No adapter {wanted} is loaded; there are: {there}. Set GUIDE_ADAPTER to load another."
            )
        return wanted

    def generate(
        self,
        conversations: Sequence[Conversation],
        adapters: Sequence[str | None],
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int = 0,
    ) -> list[Generation]:
        """Answers n conversations in one left-padded batch, each with its own adapter (None: the bare base).

        Raises:
            InputError: a conversation leaves no room for an answer in the model's window.
        """
        prompts = [render(self.tokenizer, conversation) for conversation in conversations]
        room = self.window - max(len(prompt) for prompt in prompts)
        if room < 1:
            raise InputError(f"The conversation is longer than the model's {self.window} tokens. Shorten it.")
        sampling: dict[str, Any] = {"do_sample": temperature > 0}
        if temperature > 0:
            sampling["temperature"] = temperature
        ids, mask = self._left_padded(prompts)
        with self._turn, torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            written = cast("Any", self.model).generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=min(max_new_tokens, room),
                repetition_penalty=repetition_penalty,
                eos_token_id=self._stops,
                pad_token_id=self._pad,
                **sampling,
                **self._mixed(adapters),
            )
        return [
            self._finished(prompt, row)
            for prompt, row in zip(prompts, written[:, ids.shape[1] :].tolist(), strict=True)
        ]

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
        nats = np.zeros(len(prompts))
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for rows in _batches(order, [len(prompt) + len(target) for prompt in prompts], batch_tokens):
            nats[rows] = self._continuation_nats([prompts[i] for i in rows], target, [adapters[i] for i in rows])
        return Scored(nats, sum(len(prompt) + len(target) for prompt in prompts))

    def _continuation_nats(
        self, prompts: list[list[int]], target: list[int], adapters: Sequence[str | None]
    ) -> NDArray[np.float64]:
        ids, mask = self._left_padded([prompt + target for prompt in prompts])  # [n, tokens]
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        with self._turn, torch.inference_mode():
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

    def _finished(self, prompt: list[int], row: list[int]) -> Generation:
        stopped = next((i for i, token in enumerate(row) if token in self._stops), None)
        kept = row if stopped is None else row[:stopped]
        text = cast("str", self.tokenizer.decode(kept, skip_special_tokens=True)).strip()
        return Generation(text, len(prompt), len(row) if stopped is None else stopped + 1)


def _batches(order: list[int], lengths: list[int], budget: int) -> list[list[int]]:
    """Rows in order of length, parted so that no padded batch holds more than `budget` tokens."""
    batches: list[list[int]] = []
    for row in order:
        if batches and (len(batches[-1]) + 1) * lengths[row] <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
