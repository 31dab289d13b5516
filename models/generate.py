"""A chat model in this process: conversations to requests, which its worker answers together."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from transformers import GenerationConfig, PreTrainedModel

from kb.errors import InputError
from models.chat import GREEDY, Conversation, Generation, Sampling, Scored, Stream, chosen_adapter
from models.inspect import AdapterFacts
from models.passes import Passes
from models.stream import Request, TextDecoder
from models.switching import Adapters, peft_name
from models.template import ChatTemplate
from models.worker import Job, Worker

UNTOLD_WINDOW = 2048  # of models that have no positions of their own, such as T5 and BLOOM
WRITES_WELL = 400_000_000  # the smallest instruction-tuned models that follow one, such as Qwen2.5-0.5B


class ChatModel:
    """A language model with its tokenizer and adapters by name, in this process; see `models.chat.Chat`."""

    scores = True

    def __init__(
        self,
        model: PreTrainedModel,
        template: ChatTemplate,
        name: str,
        adapters: Mapping[str, AdapterFacts] | None = None,
        *,
        more_stops: Sequence[str] = (),
        window: int | None = None,
    ) -> None:
        self.model, self.template, self.tokenizer, self.name = model, template, template.tokenizer, name
        self.adapters = tuple(adapters or ())
        self.caveats = tuple(
            f"Without adapter {name} the model is not the untouched base: {why}."
            for name, adapter in (adapters or {}).items()
            if (why := adapter.changes_base)
        )
        stops = template.stops(model.generation_config, more_stops)
        pad = stops[0] if self.tokenizer.pad_token_id is None else int(self.tokenizer.pad_token_id)
        model.generation_config = _only_tokens(model.generation_config, stops, pad)
        self.passes = Passes(model, Adapters(model, adapters or {}), stops, pad)
        self._virtual = max((adapter.virtual_tokens for adapter in (adapters or {}).values()), default=0)
        self._window = window
        self._worker = Worker(name, self.passes)

    @property
    def window(self) -> int:
        """The longest sequence in tokens that the model was made for, or that was set."""
        made_for = getattr(self.model.config.get_text_config(decoder=True), "max_position_embeddings", None)
        most = int(made_for or min(self.tokenizer.model_max_length, UNTOLD_WINDOW))
        return min(self._window or most, most if made_for else self._window or most) - self._virtual

    @property
    def writes_well(self) -> bool:
        """Whether the model is large enough to be let write freely from passages."""
        return int(self.model.num_parameters()) >= WRITES_WELL

    def adapter_share(self, adapter: str) -> float:
        part = f".{peft_name(adapter)}."
        parts = {name: parameter.numel() for name, parameter in self.model.named_parameters()}
        return sum(size for name, size in parts.items() if part in name) / sum(parts.values())

    def room(self, conversation: Conversation) -> int:
        """How many tokens the window has left for an answer to a conversation; below 1: it is too long."""
        return self.window - len(self.template.render(conversation))

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
        self._worker.enqueue([request])
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
        self._worker.enqueue(requests)
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
        prompts = [self.template.render(c)[-(self.window - len(target)) :] for c in conversations]
        lengths = [len(prompt) + len(target) for prompt in prompts]
        nats = np.zeros(len(prompts))
        for rows in _batches(lengths, batch_tokens):
            batch, names = [prompts[i] for i in rows], [adapters[i] for i in rows]
            job = Job(partial(self.passes.continuation_nats, batch, target, names))
            self._worker.enqueue([job])
            nats[rows] = job.done.result()
        return Scored(nats, sum(lengths))

    def close(self) -> None:
        self._worker.close()

    def _request(
        self,
        conversation: Conversation,
        adapter: str | None,
        max_new_tokens: int,
        sampling: Sampling,
        stop: Sequence[str],
    ) -> Request:
        prompt = self.template.render(conversation)
        room = self.window - len(prompt)
        if room < 1:
            raise InputError(
                f"The conversation has {len(prompt)} tokens; the model reads at most {self.window}. Shorten it."
            )
        decoder = TextDecoder(self.tokenizer, stop)
        return Request(prompt, adapter, min(max_new_tokens, room), sampling, decoder)


def _only_tokens(given: GenerationConfig | None, stops: list[int], pad: int) -> GenerationConfig:
    """What a model's own configuration says of tokens, without what it says of choosing them: requests say that.

    Beams, penalties and stop strings that a model's maker set would count for every row, its prompt and padding too.
    """
    return GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=stops,
        pad_token_id=pad,
        bos_token_id=getattr(given, "bos_token_id", None),
        decoder_start_token_id=getattr(given, "decoder_start_token_id", None),
        forced_bos_token_id=getattr(given, "forced_bos_token_id", None),
        suppress_tokens=getattr(given, "suppress_tokens", None),
    )


def _batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Rows in order of length, parted so that no padded batch holds more than `budget` tokens."""
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[row] <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
