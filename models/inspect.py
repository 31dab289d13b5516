"""What a model folder is and whether an adapter fits a base, found out before any weight is loaded.

The order of checks: classify the folder, parse the adapter's config, read the safetensors headers, predict every tensor
that the base's shape asks for, compare. An adapter that fits in name only would load in silence and answer nonsense.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from kb.errors import ModelError

MANIFEST = "guide_manifest.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
METHODS = {"LORA", "ADALORA", "IA3", "PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"}
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]


Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class AdapterFacts:
    """An adapter folder's config, tensor shapes and, when we trained it, the manifest written then."""

    folder: Path
    method: str
    base: str | None
    shapes: Shapes
    config: dict[str, Any]
    manifest: dict[str, Any]


def locate(name: str, setting: str) -> Path:
    """The folder of a model given by folder or hub id; a hub id is fetched into the hub's cache unless offline.

    Raises:
        ModelError: no such folder, and the hub doesn't have it, can't be reached or must not be asked.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith(("~", ".")):
        raise ModelError(f"{setting} = {name}: no such folder. Give a model's folder or a hub id.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except HFValidationError as problem:
        raise ModelError(f"{setting} = {name}: neither a folder nor a hub id like owner/model.") from problem
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as problem:
        raise ModelError(
            f"{setting} = {name}: not in the hub's cache and not to be had from the hub now. "
            f"Check the name and the connection, or download it and set {setting} to its folder."
        ) from problem


def classify(folder: Path) -> Literal["base", "adapter"]:
    """Which of the two a folder holds.

    Raises:
        ModelError: neither, or both: a merged model saved over its adapter would be adapted twice.
    """
    base, adapter = (folder / "config.json").is_file(), (folder / "adapter_config.json").is_file()
    if base and adapter:
        raise ModelError(
            f"{folder}: holds both config.json and adapter_config.json, so the adapter would be applied twice. "
            "Move the merged model or the adapter into a folder of its own."
        )
    if not base and not adapter:
        raise ModelError(f"{folder}: neither config.json nor adapter_config.json is here. Give a model's folder.")
    return "base" if base else "adapter"


def weight_files(folder: Path, pattern: str = "model*.safetensors") -> list[Path]:
    """The safetensors files of a folder; pickled weights are never read.

    Raises:
        ModelError: there are none.
    """
    files = sorted(folder.glob(pattern))
    if not files:
        pickled = sorted(file.name for ending in ("*.bin", "*.pt", "*.pth") for file in folder.glob(ending))
        what = f"only {', '.join(pickled)}, which could run code when loaded" if pickled else "no weights"
        raise ModelError(f"{folder}: {what}; {pattern} is needed. Save the model again with safetensors.")
    return files


def tensor_shapes(files: list[Path]) -> Shapes:
    """Names and shapes from the headers alone.

    Raises:
        ModelError: a file is a git-lfs pointer, truncated or no safetensors file.
    """
    shapes: Shapes = {}
    for file in files:
        with file.open("rb") as start:
            if start.read(20).startswith(b"version https://git"):
                raise ModelError(f"{file}: a git-lfs pointer, not the weights. Run `git lfs pull` there.")
        try:
            with safe_open(file, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - not a mapping
                    shapes[name] = tuple(tensors.get_slice(name).get_shape())
        except SafetensorError as problem:
            raise ModelError(f"{file}: damaged or cut short ({problem}). Download or save it again.") from problem
    return shapes


def fingerprint(folder: Path) -> str:
    """A base's identity: the hash of its weights' headers and of the first 4 KiB of every tensor's data.

    Reads little even of large models, yet tells apart models of the same shape.
    """
    digest = hashlib.sha256()
    for file in weight_files(folder):
        with file.open("rb") as data:
            (length,) = struct.unpack("<Q", data.read(8))
            header = json.loads(data.read(length))
            header.pop("__metadata__", None)
            for name in sorted(header):
                entry = header[name]
                digest.update(f"{name} {entry['dtype']} {entry['shape']}".encode())
                first, last = entry["data_offsets"]
                data.seek(8 + length + first)
                digest.update(data.read(min(4096, last - first)))
    return digest.hexdigest()


def inspect_adapter(folder: Path) -> AdapterFacts:
    """An adapter folder's facts, or a ModelError that says what is wrong with it."""
    if classify(folder) != "adapter":
        raise ModelError(f"{folder}: a whole model, not an adapter. Set it as GUIDE_CHAT_MODEL, or give an adapter.")
    file = folder / "adapter_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ModelError(f"{file}: not JSON ({problem}). Save the adapter again.") from problem
    method = str(config.get("peft_type"))
    if method not in METHODS:
        raise ModelError(f"{file}: peft_type {method} is not one of {', '.join(sorted(METHODS))}.")
    if config.get("task_type") not in (None, "CAUSAL_LM"):
        raise ModelError(f"{file}: made for the task {config['task_type']}, not for CAUSAL_LM: it can't chat.")
    shapes = tensor_shapes(weight_files(folder, ADAPTER_WEIGHTS))
    manifest = folder / MANIFEST
    return AdapterFacts(
        folder=folder,
        method=method,
        base=config.get("base_model_name_or_path"),
        shapes=shapes,
        config=config,
        manifest=json.loads(manifest.read_text(encoding="utf-8")) if manifest.is_file() else {},
    )


def check_fit(adapter: AdapterFacts, base: Path) -> None:
    """Compares an adapter with a base, tensor by tensor and by the manifest's fingerprint of the base.

    Raises:
        ModelError: with the first few differences.
    """
    recorded = adapter.manifest.get("config_sha256")
    if recorded and recorded != config_digest(adapter.folder):
        raise ModelError(
            f"{adapter.folder}/adapter_config.json was changed after training. Put the old one back, or train again."
        )
    expected = _expected_shapes(adapter, base)
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


def config_digest(folder: Path) -> str:
    """The sha256 of what decides an adapter's effect, whatever the order of its keys."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    config.pop("base_model_name_or_path", None)
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _differences(expected: Shapes, found: Shapes) -> Iterator[str]:
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} has no place in the base"
        elif expected[name] != found[name]:
            yield f"{name} is {list(found[name])}, the base needs {list(expected[name])}"


def _expected_shapes(adapter: AdapterFacts, base: Path) -> Shapes:
    """What peft would save for this config on this base, found on the meta device (no memory, no weights)."""
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    config = PeftConfig.from_pretrained(str(adapter.folder))
    config.base_model_name_or_path = None
    if hasattr(config, "init_lora_weights"):
        config = replace(config, init_lora_weights=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            AutoConfig.from_pretrained(base, trust_remote_code=False)
        )
    try:
        wrapped = get_peft_model(model, config, low_cpu_mem_usage=True)
    except ValueError as problem:
        raise ModelError(f"{adapter.folder} does not fit {base}: {problem}") from problem
    state = cast("dict[str, torch.Tensor]", get_peft_model_state_dict(wrapped, save_embedding_layers=False))
    saved = {name: tuple(tensor.shape) for name, tensor in state.items()}
    embeddings = {name: shape for name, shape in adapter.shapes.items() if "embed_tokens" in name or "lm_head" in name}
    return saved | {name: shape for name, shape in embeddings.items() if name not in saved}
