"""What models there are on this machine, what each is, whether it fits, and how much memory it takes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kb.errors import GuideError
from kb.settings import WEIGHTS, Settings
from models.families import family_of
from models.fit import base_config, check_fit
from models.hub import model_name
from models.inspect import (
    ADAPTER_WEIGHTS,
    Shapes,
    classify,
    inspect_adapter,
    is_embedding,
    read_json,
    tensor_shapes,
    weight_files,
)
from models.load import base_of, configured_adapters, find_base

# Bytes a parameter: matrices quantised, the rest in bfloat16; NF4 keeps a scale for 64 values, itself in 8 bits.
_MATRIX_BYTES = {"float32": 4.0, "bfloat16": 2.0, "8bit": 1.0, "4bit": 0.5 + 1 / 64}
_OTHER_BYTES = {"float32": 4.0, "bfloat16": 2.0, "8bit": 2.0, "4bit": 2.0}

Place = Literal["configured", "shipped", "cached", "given"]


@dataclass(frozen=True)
class ModelFacts:
    """A base or adapter; `megabytes` are its weights in memory by the numbers they are held in.

    `base` is an adapter's base and `fits` whether the two go together; `problem` says what keeps it from being used.
    """

    name: str
    folder: str
    place: Place
    kind: Literal["base", "adapter", "unknown"]
    architecture: str | None = None
    family: str | None = None
    parameters: int | None = None
    window: int | None = None
    template: str | None = None
    megabytes: dict[str, int] | None = None
    method: str | None = None
    rank: int | None = None
    base: str | None = None
    fits: bool | None = None
    problem: str | None = None


def describe(folder: Path, place: Place = "given", base: Path | None = None) -> ModelFacts:
    """What the folder holds, by its configuration and its weights' headers; an adapter is checked against its base."""
    try:
        if classify(folder) == "base":
            return _base_facts(folder, place)
        return _adapter_facts(folder, place, base)
    except GuideError as problem:
        kind: Any = "base" if (folder / "config.json").is_file() else "unknown"
        kind = "adapter" if (folder / "adapter_config.json").is_file() else kind
        return ModelFacts(model_name(folder), str(folder), place, kind, fits=False, problem=str(problem))


def known_models(settings: Settings) -> list[ModelFacts]:
    """The models that are configured, those shipped, and those in the hub's cache; each folder once."""
    found: dict[str, ModelFacts] = {}
    for facts in (*_configured(settings), *_shipped(), *_cached()):
        found.setdefault(str(Path(facts.folder).resolve()), facts)
    return list(found.values())


def memory_megabytes() -> int:
    """The memory of the device that `auto` picks, in MiB."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[1] // 2**20)
    return int(psutil.virtual_memory().total // 2**20)


def _configured(settings: Settings) -> Iterator[ModelFacts]:
    if settings.chat_url:
        return
    try:
        adapters = configured_adapters(settings)
        base = find_base(settings, adapters)
    except GuideError as problem:
        yield ModelFacts(
            settings.chat_model, settings.chat_model, "configured", "unknown", fits=False, problem=str(problem)
        )
        return
    yield describe(base, "configured")
    for adapter in adapters.values():
        yield describe(adapter.folder, "configured", base)


def _shipped() -> Iterator[ModelFacts]:
    for folder in sorted(WEIGHTS.iterdir()):
        if (folder / "config.json").is_file() or (folder / "adapter_config.json").is_file():
            yield describe(folder, "shipped")


def _cached() -> Iterator[ModelFacts]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return
    for repo in sorted(repos, key=lambda repo: repo.repo_id):
        newest = max(repo.revisions, key=lambda revision: revision.last_modified, default=None)
        if repo.repo_type == "model" and newest is not None:
            folder = newest.snapshot_path
            if any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
                yield describe(folder, "cached")


def _base_facts(folder: Path, place: Place) -> ModelFacts:
    shapes = tensor_shapes(weight_files(folder))
    given = read_json(folder / "config.json")
    family = family_of(folder)
    problem, window = None, None
    try:
        window = getattr(base_config(folder), "max_position_embeddings", None)
    except GuideError as unusable:
        problem = str(unusable)
    template = f"{family.name}'s" if family else None
    if (folder / "chat_template.jinja").is_file() or _names_template(folder):
        template = "its own"
    return ModelFacts(
        model_name(folder),
        str(folder),
        place,
        "base",
        architecture=next(iter(given.get("architectures") or []), given.get("model_type")),
        family=family.name if family else None,
        parameters=_count(shapes),
        window=window,
        template=template,
        megabytes=_megabytes(shapes),
        problem=problem if problem or template else "no chat template; set GUIDE_CHAT_TEMPLATE",
    )


def _adapter_facts(folder: Path, place: Place, base: Path | None) -> ModelFacts:
    adapter = inspect_adapter(folder)
    problem = None
    try:
        base = base or base_of(adapter)
        check_fit(adapter, base)
    except GuideError as unfit:
        problem = str(unfit)
    named = adapter.base or adapter.manifest.get("base")
    return ModelFacts(
        model_name(folder),
        str(folder),
        place,
        "adapter",
        parameters=_count(tensor_shapes(weight_files(folder, ADAPTER_WEIGHTS))),
        method=adapter.method,
        rank=adapter.config.get("r"),
        base=str(base) if base else named,
        fits=problem is None,
        problem=problem,
    )


def _names_template(folder: Path) -> bool:
    file = folder / "tokenizer_config.json"
    return file.is_file() and bool(read_json(file).get("chat_template"))


def _count(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _megabytes(shapes: Shapes) -> dict[str, int]:
    matrices = sum(math.prod(s) for name, s in shapes.items() if len(s) == 2 and not is_embedding(name))
    rest = _count(shapes) - matrices
    return {
        kind: math.ceil((matrices * _MATRIX_BYTES[kind] + rest * _OTHER_BYTES[kind]) / 2**20) for kind in _MATRIX_BYTES
    }
