"""Small real models, made on the spot: the project's own tokenizer and shapes, random weights."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from kb.settings import SOURCES
from models.pretrain import token_id
from models.tokenizer import END_OF_TEXT, TURN_END, train_tokenizer


def make_base(folder: Path, seed: int = 0, hidden: int = 32, layers: int = 2) -> Path:
    """A Llama-shaped base with a ChatML tokenizer learnt from the guide's clean documents."""
    text = (SOURCES / "llm_guide.md").read_text(encoding="utf-8")
    tokenizer = train_tokenizer([text], vocab_size=900)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=token_id(tokenizer, TURN_END),
            pad_token_id=token_id(tokenizer, END_OF_TEXT),
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(str(folder))
    return folder


def make_adapter(base: Path, folder: Path, seed: int = 1) -> Path:
    """A LoRA adapter with random weights on all linear layers, so that it changes every answer."""
    torch.manual_seed(seed)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base), config)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    return folder
