"""What a model folder is, found out from its configuration and its weights' headers before any weight is loaded."""

import hashlib
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from kb.errors import ModelError
from models.hub import find_model

MANIFEST = "guide_manifest.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
METHODS = {"LORA", "ADALORA", "IA3", "PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"}
PROMPT_METHODS = {"PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING"}
TASKS = {None, "CAUSAL_LM", "SEQ_2_SEQ_LM"}
HUB_FILES = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken", "model*.safetensors", ADAPTER_WEIGHTS)
_EMBEDDING = re.compile(r"(?:embed_tokens|wte|word_embeddings|shared|embed_in|lm_head)\.weight$")
_CHANGING_STARTS = ("pissa", "olora", "corda", "loftq")

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

    @property
    def mixes(self) -> bool:
        """Whether rows with other adapters, or with none, can share a batch with rows of this one."""
        whole = self.config.get("modules_to_save") or self.config.get("trainable_token_indices")
        return self.method == "LORA" and not (self.config.get("use_dora") or whole or self.changes_base)

    @property
    def virtual_tokens(self) -> int:
        """How much of the model's window the adapter takes for itself."""
        return int(self.config.get("num_virtual_tokens") or 0)

    @property
    def rows(self) -> int | None:
        """How many embeddings the adapter brings along, if it does."""
        return next((shape[0] for name, shape in self.shapes.items() if is_embedding(name)), None)

    @property
    def changes_base(self) -> str | None:
        """Why the base is not the untouched one once this adapter is loaded, even when it is switched off."""
        bias, start = self.config.get("bias", "none"), str(self.config.get("init_lora_weights", ""))
        if bias != "none":
            return f"it brings biases of its own (bias={bias})"
        if start.lower().startswith(_CHANGING_STARTS):
            return f"it was started by {start}, which takes a part out of the base's weights"
        return "it brings embeddings of its own" if self.rows is not None else None


def is_embedding(name: str) -> bool:
    """Whether a tensor's name is that of a whole embedding or output layer."""
    return _EMBEDDING.search(name) is not None


def locate(name: str, setting: str, *, revision: str | None = None, code: bool = False) -> Path:
    """The folder of a base or an adapter given by folder or hub id; raises as `find_model` does.

    `code` has the model's own Python files fetched too.
    """
    return find_model(name, setting, allow=[*HUB_FILES, *(["*.py"] if code else [])], revision=revision)


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
    index = folder / "model.safetensors.index.json"
    if index.is_file() and pattern.startswith("model"):
        named = set(read_json(index).get("weight_map", {}).values())
        if absent := sorted(named - {file.name for file in files}):
            raise ModelError(f"{folder}: {absent[0]} is missing, which {index.name} names. Download it again.")
    return files


def read_json(file: Path) -> dict[str, Any]:
    """The object in a model's JSON file.

    Raises:
        ModelError: it can't be read or is none.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ModelError(f"{file}: not JSON ({problem}). Save or download it again.") from problem
    if not isinstance(content, dict):
        raise ModelError(f"{file}: not a JSON object. Save or download it again.")
    return content


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

    Raises:
        ModelError: there are no weights, or they are damaged.
    """
    files = weight_files(folder)
    tensor_shapes(files)
    digest = hashlib.sha256()
    for file in files:
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
    config = read_json(file)
    method = str(config.get("peft_type"))
    if method not in METHODS:
        raise ModelError(
            f"{file}: peft_type {method} is not one of {', '.join(sorted(METHODS))}. Train it again with one."
        )
    if config.get("task_type") not in TASKS:
        raise ModelError(
            f"{file}: made for the task {config['task_type']}, not for CAUSAL_LM: it can't chat. "
            "Give an adapter that was trained to write text."
        )
    manifest = folder / MANIFEST
    shapes = tensor_shapes(weight_files(folder, ADAPTER_WEIGHTS))
    return AdapterFacts(
        folder=folder,
        method=method,
        base=config.get("base_model_name_or_path"),
        shapes=shapes,
        config=config,
        manifest=read_json(manifest) if manifest.is_file() else {},
    )


def config_digest(folder: Path) -> str:
    """The sha256 of what decides an adapter's effect, whatever the order of its keys."""
    config = read_json(folder / "adapter_config.json")
    config.pop("base_model_name_or_path", None)
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
