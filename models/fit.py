"""Whether an adapter fits a base, tensor by tensor, before any weight is loaded.

An adapter that fits in name only loads in silence and answers nonsense: surplus tensors are dropped without a word,
missing ones leave layers as they were.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PretrainedConfig

from kb.errors import ModelError
from models.inspect import AdapterFacts, Shapes, config_digest, fingerprint, is_embedding, read_json


def check_fit(adapter: AdapterFacts, base: Path, *, trust_code: bool = False) -> None:
    """Compares an adapter with a base, tensor by tensor and by the manifest's fingerprint of the base.

    Raises:
        ModelError: with the first few differences.
    """
    recorded = adapter.manifest.get("config_sha256")
    if recorded and recorded != config_digest(adapter.folder):
        raise ModelError(
            f"{adapter.folder}/adapter_config.json was changed after training. Put the old one back, or train again."
        )
    expected = _expected_shapes(adapter, base, trust_code=trust_code)
    differences = list(_differences(expected, adapter.shapes))
    if differences:
        shown = "; ".join(differences[:3]) + (f"; and {len(differences) - 3} more" if len(differences) > 3 else "")
        raise ModelError(f"{adapter.folder} does not fit {base}: {shown}. Use the base that it was trained on.")
    trained_on = adapter.manifest.get("base_fingerprint")
    if trained_on and trained_on != fingerprint(base):
        raise ModelError(
            f"{adapter.folder} was trained on other weights of the same shape than {base} holds. "
            f"Set GUIDE_CHAT_MODEL to {adapter.manifest.get('base', 'its base')}, or train the adapter again."
        )


def base_config(base: Path, *, trust_code: bool = False) -> PretrainedConfig:
    """A base's configuration; the Python files in its folder are run only with `trust_code`.

    Raises:
        ModelError: the architecture isn't known, needs code of its own, or is none that writes text.
    """
    given = read_json(base / "config.json")
    architectures = given.get("architectures") or []
    if architectures and not any(_writes(name) for name in architectures):
        raise ModelError(
            f"{base}: holds {architectures[0]}, which does not write text. Give a causal or an encoder-decoder model."
        )
    try:
        config = AutoConfig.from_pretrained(base, trust_remote_code=trust_code)
    except Exception as problem:  # code of the model's own fails in its own ways
        if "auto_map" in given and not trust_code:
            raise ModelError(
                f"{base}: {given.get('model_type')} needs the Python code in its folder, which is not run unless "
                "GUIDE_TRUST_REMOTE_CODE=1 is set. Set it only for code that you have read."
            ) from problem
        raise ModelError(f"{base}/config.json: {problem}") from problem
    return cast("PretrainedConfig", config)


def model_class(config: PretrainedConfig) -> Any:
    """What loads a model that writes text after this configuration."""
    return AutoModelForSeq2SeqLM if getattr(config, "is_encoder_decoder", False) else AutoModelForCausalLM


def skeleton(config: PretrainedConfig, *, trust_code: bool = False) -> Any:
    """The model on the meta device: all its shapes, no memory and no weights."""
    with torch.device("meta"):
        return model_class(config).from_config(config, trust_remote_code=trust_code)


def _writes(architecture: str) -> bool:
    return any(part in architecture for part in ("CausalLM", "LMHead", "ConditionalGeneration", "Seq2Seq", "ChatGLM"))


def _differences(expected: Shapes, found: Shapes) -> Iterator[str]:
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} has no place in the base"
        elif expected[name] != found[name]:
            yield f"{name} is {list(found[name])}, the base needs {list(expected[name])}"


def _expected_shapes(adapter: AdapterFacts, base: Path, *, trust_code: bool) -> Shapes:
    """What peft would save for this config on this base, with as many embeddings as the adapter brings."""
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    config = PeftConfig.from_pretrained(str(adapter.folder))
    config.base_model_name_or_path = None
    if hasattr(config, "init_lora_weights"):
        config = replace(config, init_lora_weights=True)
    kept = _kept_ranks(config)
    base_shape = base_config(base, trust_code=trust_code)
    if adapter.rows is not None:
        base_shape.vocab_size = adapter.rows
    model = skeleton(base_shape, trust_code=trust_code)
    width = model.get_input_embeddings().weight.shape[1]
    try:
        wrapped = get_peft_model(model, config, low_cpu_mem_usage=True)
    except (ValueError, TypeError) as problem:
        raise ModelError(f"{adapter.folder} does not fit {base}: {problem}") from problem
    state = cast("dict[str, torch.Tensor]", get_peft_model_state_dict(wrapped, save_embedding_layers=False))
    saved = {name: _cut(name, tuple(tensor.shape), kept) for name, tensor in state.items()}
    embeddings = {name: (adapter.rows or 0, width) for name in adapter.shapes if is_embedding(name)}
    return embeddings | saved


def _kept_ranks(config: Any) -> dict[str, int]:
    """The rank that AdaLoRA left each layer; taken out of `config`, as there are no weights here to cut."""
    if config.peft_type != "ADALORA" or not config.rank_pattern:
        return {}
    pattern, config.rank_pattern = config.rank_pattern, None
    return {f"base_model.model.{name.removesuffix('.lora_E')}": sum(kept) for name, kept in pattern.items()}


def _cut(name: str, shape: tuple[int, ...], kept: Mapping[str, int]) -> tuple[int, ...]:
    layer, _, part = name.rpartition(".lora_")
    if layer not in kept:
        return shape
    return (shape[0], kept[layer]) if part == "B" else (kept[layer], shape[1])
