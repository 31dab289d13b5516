"""Loads a chat model and its adapter through peft, and refuses what doesn't fit, saying why."""

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from kb.errors import ModelError
from kb.settings import Settings
from models.generate import ChatModel
from models.inspect import AdapterFacts, check_fit, classify, inspect_adapter, locate, tensor_shapes, weight_files
from models.names import safe_name


def load_chat(settings: Settings) -> ChatModel:
    """The chat model that the settings name, ready to answer: eval mode, nothing trainable, every weight finite.

    Raises:
        ModelError: a folder or hub id that can't be had, damaged weights, or an adapter that doesn't fit.
    """
    base = locate(settings.chat_model, "GUIDE_CHAT_MODEL")
    if classify(base) == "adapter":
        raise ModelError(f"GUIDE_CHAT_MODEL = {base}: an adapter. Set it as GUIDE_ADAPTER, and its base here.")
    adapter = None if settings.adapter == "none" else inspect_adapter(locate(settings.adapter, "GUIDE_ADAPTER"))
    device = pick_device(settings.device)
    model = load_base(base, device)
    tokenizer = load_tokenizer(base, adapter)
    _check_token_ids(tokenizer, model, base)
    if adapter is None:
        return ChatModel(model, tokenizer, base.name)
    name = safe_name(adapter.folder.name)
    return ChatModel(attach(model, adapter, base, name), tokenizer, base.name, [name])


def pick_device(wanted: str) -> torch.device:
    """CUDA, then MPS, then the CPU, unless one is asked for by name."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load_base(folder: Path, device: torch.device) -> PreTrainedModel:
    """A causal language model from a folder: float32 on the CPU, bfloat16 on CUDA, float16 on MPS.

    Raises:
        ModelError: weights missing, damaged or not finite; a model that needs code from its folder.
    """
    tensor_shapes(weight_files(folder))
    dtype = {"cuda": torch.bfloat16, "mps": torch.float16}.get(device.type, torch.float32)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as problem:
        raise ModelError(f"{folder}: can't be loaded as a chat model: {problem}") from problem
    model, report = loaded
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"{folder}: the weights lack {missing}. Download or save the model again.")
    _check_finite(model, folder)
    return cast("PreTrainedModel", model.to(device).eval().requires_grad_(requires_grad=False))


def load_tokenizer(base: Path, adapter: AdapterFacts | None = None) -> PreTrainedTokenizerBase:
    """The adapter's tokenizer when one was saved with it, else the base's."""
    saved = adapter is not None and (adapter.folder / "tokenizer_config.json").is_file()
    folder = adapter.folder if adapter is not None and saved else base
    try:
        return cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
    except (OSError, ValueError) as problem:
        raise ModelError(f"{folder}: no tokenizer can be loaded from it: {problem}") from problem


def attach(model: PreTrainedModel, adapter: AdapterFacts, base: Path, name: str) -> PreTrainedModel:
    """The base with the adapter on it under `name`; every warning of peft's is an error here.

    Raises:
        ModelError: the adapter doesn't fit, or its weights aren't finite.
    """
    from peft import PeftModel

    rows = next((shape[0] for key, shape in adapter.shapes.items() if "embed_tokens.weight" in key), None)
    if rows is not None and rows != embedding_rows(model):
        model.resize_token_embeddings(rows)
    check_fit(adapter, base)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            adapted = PeftModel.from_pretrained(model, str(adapter.folder), adapter_name=name, is_trainable=False)
        except (UserWarning, ValueError, RuntimeError) as problem:
            raise ModelError(f"{adapter.folder} can't be put on {base}: {problem}") from problem
    _check_finite(adapted, adapter.folder)
    return cast("PreTrainedModel", adapted.eval().requires_grad_(requires_grad=False))


def embedding_rows(model: PreTrainedModel) -> int:
    """How many token ids the model knows."""
    return int(cast("torch.nn.Embedding", model.get_input_embeddings()).num_embeddings)


def _check_finite(model: torch.nn.Module, folder: Path) -> None:
    for name, tensor in model.named_parameters():
        if tensor.is_meta:
            raise ModelError(f"{folder}: {name} was not loaded. Download or save the model again.")
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{folder}: {name} holds NaN or infinity. Train or download it again.")


def _check_token_ids(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, folder: Path) -> None:
    rows = embedding_rows(model)
    largest = max(tokenizer.get_vocab().values())
    if largest >= rows:
        raise ModelError(
            f"{folder}: the tokenizer's largest id is {largest}, but the model has only {rows} embeddings."
        )
