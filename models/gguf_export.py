"""A Llama- or Qwen2-shaped model as one GGUF file for llama.cpp and Ollama, read back and compared."""

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from kb.errors import InputError, ModelError
from kb.files import written_whole
from models.gguf_tokenizer import write_tokenizer
from models.load import load_base
from models.load_tokenizer import load_tokenizer

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2"}
LARGEST_DIFFERENCE = 1e-3  # of a tensor's largest value: float16 has 11 bits


def write_gguf(folder: Path, file: Path) -> float:
    """Writes the model in `folder`, matrices as float16, the rest as float32; returns how far it is off when read back.

    Raises:
        InputError: its architecture or tokenizer has no counterpart here, or `file` can't be written.
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
    if (rope := model.config.rope_parameters["rope_type"]) != "default":
        raise InputError(f"{folder}: stretches its positions ({rope}). Use convert_hf_to_gguf.py of llama.cpp.")
    tensors = _tensors(model, architecture)
    with written_whole(file) as draft:
        with closing(gguf.GGUFWriter(draft, architecture)) as writer:
            _write_shape(writer, model.config, folder.name)
            write_tokenizer(writer, load_tokenizer(folder), model.config.vocab_size)
            for name, tensor in tensors.items():
                writer.add_tensor(name, tensor.astype(np.float16) if tensor.ndim > 1 else tensor)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        difference = _difference(draft, tensors)
        if difference > LARGEST_DIFFERENCE:
            raise ModelError(f"{file}: not written, for what was read back differs by {difference:.2g}. Try again.")
    return difference


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
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    for add in (writer.add_key_length, writer.add_value_length, writer.add_rope_dimension_count):
        add(width)
    writer.add_vocab_size(config.vocab_size)


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


def _difference(file: Path, expected: dict[str, NDArray[np.float32]]) -> float:
    """The greatest difference of a tensor read back, as a share of its largest value."""
    import gguf

    read = {tensor.name: np.asarray(tensor.data) for tensor in gguf.GGUFReader(file).tensors}
    if read.keys() != expected.keys():
        raise ModelError("The GGUF file holds other tensors than were written, and is not kept. Try again.")
    worst = 0.0
    for name, values in expected.items():
        back = read[name].astype(np.float32).reshape(values.shape)
        worst = max(worst, float(np.abs(back - values).max() / max(np.abs(values).max(), 1e-12)))
    return worst
