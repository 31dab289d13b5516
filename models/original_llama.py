"""Llama checkpoints as Meta gives them out (consolidated.*.pth, params.json) turned into a Hugging Face folder."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from kb.errors import InputError, ModelError
from kb.files import written_whole
from models.inspect import read_json

_NAMES = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
    "attention.wq.weight": "self_attn.q_proj.weight",
    "attention.wk.weight": "self_attn.k_proj.weight",
    "attention.wv.weight": "self_attn.v_proj.weight",
    "attention.wo.weight": "self_attn.o_proj.weight",
    "feed_forward.w1.weight": "mlp.gate_proj.weight",
    "feed_forward.w2.weight": "mlp.down_proj.weight",
    "feed_forward.w3.weight": "mlp.up_proj.weight",
    "attention_norm.weight": "input_layernorm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
}
_SPLIT_BY_ROWS = ("wq", "wk", "wv", "w1", "w3", "output")
_SPLIT_BY_COLUMNS = ("wo", "w2")


def is_original_llama(folder: Path) -> bool:
    return (folder / "params.json").is_file() and any(folder.glob("consolidated.*.pth"))


def convert(folder: Path, out: Path) -> list[str]:
    """Writes the checkpoint in `folder` to `out` as safetensors with its configuration; returns what is still to do.

    The pickles are read with `weights_only`, so nothing in them can run.

    Raises:
        InputError: no such checkpoint, it lacks tensors, or `out` can't be written.
        ModelError: a file is damaged or holds more than tensors.
    """
    if not is_original_llama(folder):
        raise InputError(f"{folder}: no params.json with consolidated.*.pth. Give an original checkpoint's folder.")
    shards = [_read(file) for file in sorted(folder.glob("consolidated.*.pth"))]
    params = read_json(folder / "params.json")
    if params.get("use_scaled_rope"):
        raise InputError(f"{folder}: Llama 3.1 or later, whose positions are stretched. Get it in Hugging Face's form.")
    tensors = [name for name in shards[0] if not name.endswith("rope.freqs")]
    joined = {name: _joined(name, [shard[name] for shard in shards]) for name in tensors}
    config = _config(params, joined)
    state = {_renamed(name): _layout(name, tensor, config) for name, tensor in joined.items()}
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    missing = [name for name in model.state_dict() if name not in state]
    if missing:
        raise InputError(f"{folder}: lacks {missing[0]} and {len(missing) - 1} more. Download the checkpoint again.")
    model.load_state_dict(state, assign=True)
    with written_whole(out) as draft:
        model.save_pretrained(draft)
    if any((out / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return []
    return [f"Put tokenizer.json and tokenizer_config.json of the same Llama into {out}; the original has neither."]


def _read(file: Path) -> Mapping[str, torch.Tensor]:
    try:
        return cast("Mapping[str, torch.Tensor]", torch.load(file, map_location="cpu", weights_only=True, mmap=True))
    except Exception as problem:
        raise ModelError(f"{file}: damaged, or holds more than tensors ({problem}). Download it again.") from problem


def _joined(name: str, parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """One tensor of the parts on several GPUs, split as in Megatron's tensor parallelism."""
    kind = name.split(".")[-2]
    if len(parts) == 1 or "norm" in name:
        return parts[0]
    if kind in _SPLIT_BY_ROWS:
        return torch.cat(list(parts), dim=0)
    if kind in _SPLIT_BY_COLUMNS:
        return torch.cat(list(parts), dim=1)
    # embeddings are split by columns in Llama 1 and 2, by rows in Llama 3, whose vocabulary is far larger
    rows_were_split = parts[0].shape[0] * len(parts) > 100_000
    return torch.cat(list(parts), dim=0 if rows_were_split else 1)


def _config(params: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> LlamaConfig:
    heads = int(params["n_heads"])
    vocabulary, _ = tensors["tok_embeddings.weight"].shape
    theta = float(params.get("rope_theta", 10_000.0))
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=int(params["dim"]),
        intermediate_size=tensors["layers.0.feed_forward.w1.weight"].shape[0],
        num_hidden_layers=int(params["n_layers"]),
        num_attention_heads=heads,
        num_key_value_heads=int(params.get("n_kv_heads") or heads),
        rms_norm_eps=float(params["norm_eps"]),
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        max_position_embeddings=8192 if theta > 10_000 else 4096,
        tie_word_embeddings=False,
        dtype=tensors["tok_embeddings.weight"].dtype,
    )


def _renamed(name: str) -> str:
    found = re.fullmatch(r"layers\.(\d+)\.(.+)", name)
    inner = _NAMES.get(found[2] if found else name)
    if inner is None:
        raise InputError(f"The checkpoint holds {name}, which no Llama has. Give an original Llama checkpoint.")
    return f"model.layers.{found[1]}.{inner}" if found else inner


def _layout(name: str, tensor: torch.Tensor, config: LlamaConfig) -> torch.Tensor:
    """Queries and keys in the order that rotating halves needs, where the original rotates neighbours."""
    kind = name.split(".")[-2]
    if kind not in ("wq", "wk"):
        return tensor.contiguous()
    heads = cast("int", config.num_attention_heads if kind == "wq" else config.num_key_value_heads)
    rows, columns = tensor.shape
    by_pairs = tensor.view(heads, rows // heads // 2, 2, columns)
    return by_pairs.transpose(1, 2).reshape(rows, columns).contiguous()
