"""A Llama- or Qwen2-shaped model as one GGUF file for llama.cpp and Ollama, read back and compared."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from kb.errors import InputError, ModelError
from models.load import load_base, load_tokenizer

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2"}
_PRE_TOKENIZERS = {"qwen2": "qwen2", "llama": "llama-bpe"}
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6


def write_gguf(folder: Path, file: Path) -> float:
    """Writes the model in `folder`, matrices as float16, the rest as float32; returns how far it is off when read back.

    Raises:
        InputError: its architecture or tokenizer has no counterpart here.
        ModelError: the package `gguf` is missing, or what was written is not what was read.
    """
    if find_spec("gguf") is None:
        raise ModelError("--gguf needs the package gguf. Install it with `pip install guide[gguf]`.")
    import gguf

    model: Any = load_base(folder, torch.device("cpu"), dtype="float32")
    architecture = ARCHITECTURES.get(model.config.model_type)
    if architecture is None:
        known = ", ".join(ARCHITECTURES)
        raise InputError(
            f"{folder}: a {model.config.model_type} model; written here are {known}. "
            "Use convert_hf_to_gguf.py of llama.cpp for others."
        )
    writer = gguf.GGUFWriter(file, architecture)
    _write_shape(writer, model.config, folder.name)
    _write_tokenizer(writer, load_tokenizer(folder), architecture, model.config.vocab_size)
    tensors = _tensors(model, architecture)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor.astype(np.float16) if tensor.ndim > 1 else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return _compared(file, tensors)


def _write_shape(writer: Any, config: Any, name: str) -> None:
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)


def _write_tokenizer(writer: Any, tokenizer: PreTrainedTokenizerBase, architecture: str, rows: int) -> None:
    state = json.loads(cast("Any", tokenizer).backend_tokenizer.to_str())
    bpe = state["model"]
    if bpe.get("type") != "BPE":
        raise InputError(f"{tokenizer.name_or_path}: a {bpe.get('type')} tokenizer; only BPE can be written as GGUF.")
    falls_back = bool(bpe.get("byte_fallback"))
    special = {token["id"] for token in state["added_tokens"] if token["special"]}
    by_id = {number: token for token, number in tokenizer.get_vocab().items()}
    tokens = [by_id.get(number, f"[PAD{number}]") for number in range(rows)]
    kinds = [_kind(token, number, special, by_id, falls_back=falls_back) for number, token in enumerate(tokens)]
    writer.add_tokenizer_model("llama" if falls_back else "gpt2")
    if falls_back:
        merged = {"".join(pair): -rank for rank, pair in enumerate(_pairs(bpe["merges"]), 1)}
        shown = zip(tokens, kinds, strict=True)
        writer.add_token_list([token.replace(" ", "▁") if kind == _NORMAL else token for token, kind in shown])
        writer.add_token_scores([float(merged.get(token, -len(merged) - 1)) for token in tokens])
        writer.add_add_space_prefix(value=False)
    else:
        writer.add_tokenizer_pre(_PRE_TOKENIZERS[architecture])
        writer.add_token_list(tokens)
        writer.add_token_merges([" ".join(pair) for pair in _pairs(bpe["merges"])])
    writer.add_token_types(kinds)
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(number)
    if tokenizer.bos_token_id is None:
        writer.add_add_bos_token(value=False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.get_chat_template())


def _kind(token: str, number: int, special: set[int], by_id: dict[int, str], *, falls_back: bool) -> int:
    if number not in by_id:
        return _UNKNOWN
    if number in special:
        return _CONTROL
    return _BYTE if falls_back and token.startswith("<0x") and len(token) == 6 else _NORMAL


def _pairs(merges: list[Any]) -> list[tuple[str, str]]:
    split = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in merges)
    return [(first, second) for first, second in split]


def _tensors(model: Any, architecture: str) -> dict[str, NDArray[np.float32]]:
    """The model's tensors by their names in GGUF; llama.cpp rotates neighbouring pairs of queries and keys in Llama."""
    import gguf

    kind = gguf.MODEL_ARCH.LLAMA if architecture == "llama" else gguf.MODEL_ARCH.QWEN2
    names = gguf.get_tensor_name_map(kind, model.config.num_hidden_layers)
    tied = model.config.tie_word_embeddings
    found: dict[str, NDArray[np.float32]] = {}
    for name, tensor in model.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        values = tensor.float().numpy()
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            heads = model.config.num_attention_heads if "q_proj" in name else model.config.num_key_value_heads
            halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
            values = halves.swapaxes(1, 2).reshape(values.shape)
        found[cast("str", names.get_name(name, try_suffixes=(".weight", ".bias")))] = np.ascontiguousarray(values)
    return found


def _compared(file: Path, expected: dict[str, NDArray[np.float32]]) -> float:
    """The greatest difference of a tensor read back, as a share of its largest value."""
    import gguf

    read = {tensor.name: np.asarray(tensor.data) for tensor in gguf.GGUFReader(file).tensors}
    if read.keys() != expected.keys():
        raise ModelError(f"{file}: holds other tensors than were written. Write it again.")
    worst = 0.0
    for name, values in expected.items():
        back = read[name].astype(np.float32).reshape(values.shape)
        worst = max(worst, float(np.abs(back - values).max() / max(np.abs(values).max(), 1e-12)))
    if worst > 1e-3:
        raise ModelError(f"{file}: what was read back differs by {worst:.2g}. Write it again.")
    return worst
