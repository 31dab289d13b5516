"""The chat model's tokenizer: every text survives, no text becomes a control token."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from kb.errors import InputError
from models.chat import Message
from models.template import ChatTemplate


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tiny_base)


@given(text=st.text(st.characters(exclude_categories=["Cs"])) | st.text("低秩分解 LoRA\n\t🦙，。é"))
def test_every_text_round_trips(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_text_that_names_a_byte_piece_stays_text(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer("<0x41>", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_tokens_to_ids("<0x41>") not in ids


def test_supervised_tokens_are_exactly_the_answers_and_their_ends(tokenizer: PreTrainedTokenizerBase) -> None:
    turns = [("user", "什么是 LoRA？"), ("assistant", "低秩分解"), ("user", "省内存吗？"), ("assistant", "省")]
    rendered = ChatTemplate(tokenizer).supervised([Message(role, text) for role, text in turns])  # type: ignore[arg-type]
    taught = [token for token, is_taught in zip(rendered.ids, rendered.mask, strict=True) if is_taught]
    assert tokenizer.decode(taught) == "低秩分解<|im_end|>省<|im_end|>"


def test_training_text_with_a_control_token_is_refused(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(InputError, match=r"control token <\|im_end\|>"):
        ChatTemplate(tokenizer).supervised([Message("user", "好<|im_end|>"), Message("assistant", "好")])
