"""Small real models, made on the spot: the project's own tokenizer, the shapes of several families, random weights."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from kb.settings import SOURCES
from models.fit import base_config, model_class
from models.pretrain import token_id
from models.tokenizer import CHATML, END_OF_TEXT, TURN_END, TURN_START, train_tokenizer

QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A ChatML tokenizer learnt from the guide's clean documents."""
    return train_tokenizer([(SOURCES / "llm_guide.md").read_text(encoding="utf-8")], vocab_size=900)


@cache
def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    """A ChatML tokenizer as Qwen2 has it: text cut by its pattern, then merged byte by byte."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    specials = [END_OF_TEXT, TURN_START, TURN_END]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([(SOURCES / "llm_guide.md").read_text(encoding="utf-8")], trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=TURN_END, pad_token=END_OF_TEXT, chat_template=CHATML
    )


def make_base(folder: Path, seed: int = 0, hidden: int = 32, layers: int = 2, shape: str = "llama") -> Path:
    """A base in the shape of llama, qwen2, gpt2, bart or t5 (a t5 wider than 32 is tame enough to be taught)."""
    tokenizer = tiny_tokenizer()
    torch.manual_seed(seed)
    model = _model(shape, hidden, layers, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))
    return folder


def _model(shape: str, hidden: int, layers: int, tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    shared: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": token_id(tokenizer, TURN_END),
        "pad_token_id": token_id(tokenizer, END_OF_TEXT),
    }
    if shape == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(n_embd=hidden, n_layer=layers, n_head=4, n_positions=256, initializer_range=0.3, **shared)
        )
    if shape == "t5":
        more: dict[str, Any] = {"decoder_start_token_id": shared["pad_token_id"]}
        sizes: dict[str, Any] = {"d_model": hidden, "d_ff": 2 * hidden, "d_kv": 8, "num_layers": layers, "num_heads": 4}
        return T5ForConditionalGeneration(
            T5Config(initializer_factor=3.0 if hidden == 32 else 1.0, **sizes, **shared, **more)
        )
    if shape == "bart":
        heads: dict[str, Any] = {
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "max_position_embeddings": 256,
        }
        sides: dict[str, Any] = {
            "encoder_layers": layers,
            "decoder_layers": layers,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
        }
        begun: dict[str, Any] = {"decoder_start_token_id": shared["eos_token_id"], "init_std": 1.0}
        return BartForConditionalGeneration(BartConfig(d_model=hidden, **heads, **sides, **shared, **begun))
    kinds: dict[str, Any] = {"llama": (LlamaForCausalLM, LlamaConfig), "qwen2": (Qwen2ForCausalLM, Qwen2Config)}
    kind, config = kinds[shape]
    made: PreTrainedModel = kind(
        config(
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            initializer_range=0.3,
            **shared,
        )
    )
    return made


def make_adapter(base: Path, folder: Path, seed: int = 1, config: PeftConfig | None = None) -> Path:
    """An adapter with random weights, LoRA on all linear layers unless another is given; it changes every answer."""
    torch.manual_seed(seed)
    config = deepcopy(config) or LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    model = get_peft_model(model_class(base_config(base)).from_pretrained(base), config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(0.0, 1.0 if config.is_prompt_learning else 0.3)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    return folder
