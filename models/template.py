"""Conversations to token ids, by the tokenizer's own chat template and nothing else."""

from dataclasses import dataclass
from typing import Any, cast

from transformers import GenerationConfig, PreTrainedTokenizerBase

from kb.errors import InputError, ModelError
from models.chat import Conversation


@dataclass(frozen=True)
class Supervised:
    """A rendered conversation; `mask[i]` says whether token i belongs to an assistant's answer or ends it."""

    ids: list[int]
    mask: list[bool]


def render(tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> list[int]:
    """Token ids up to and including the assistant's header.

    Control tokens inside the messages are encoded as ordinary text, so that no document can forge a turn.

    Raises:
        ModelError: the tokenizer has no chat template.
    """
    return _apply(tokenizer, conversation, add_generation_prompt=True, sanitize_control_tokens=True)["input_ids"]


def render_supervised(tokenizer: PreTrainedTokenizerBase, conversation: Conversation) -> Supervised:
    """Token ids of a whole conversation with the mask of what a model should learn to write.

    Raises:
        InputError: a message holds a control token, which would be learnt as a turn.
        ModelError: the template doesn't mark the assistant's part ({% generation %}), so nothing could be learnt.
    """
    for message in conversation:
        forged = [token for token in tokenizer.all_special_tokens if token in message.content]
        if forged:
            raise InputError(
                f"A training message holds the control token {forged[0]}. Remove it: {message.content:.60}"
            )
    rendered = _apply(tokenizer, conversation, return_assistant_tokens_mask=True)
    mask = [bool(bit) for bit in rendered["assistant_masks"]]
    if not any(mask):
        raise ModelError("The chat template marks no assistant tokens. Add {% generation %} around the answer in it.")
    return Supervised(rendered["input_ids"], mask)


def stop_ids(tokenizer: PreTrainedTokenizerBase, generation: GenerationConfig | None) -> list[int]:
    """Every token that ends an answer: the tokenizer's, the model's own, and the template's end of turn."""
    stops = {tokenizer.eos_token_id}
    configured = generation.eos_token_id if generation is not None else None
    stops.update(configured if isinstance(configured, list) else [configured])
    for token in ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"):
        if token in tokenizer.get_added_vocab():
            stops.add(cast("int", tokenizer.convert_tokens_to_ids(token)))
    return sorted(stop for stop in stops if stop is not None)


def _apply(tokenizer: PreTrainedTokenizerBase, conversation: Conversation, **options: Any) -> dict[str, list[int]]:
    if not tokenizer.chat_template:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template. Use an instruction-tuned model, "
            "or save a chat_template.jinja beside it."
        )
    messages = [{"role": message.role, "content": message.content} for message in conversation]
    rendered = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)
    return cast("dict[str, list[int]]", rendered)
