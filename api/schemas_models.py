"""What the commands about models print as JSON."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.schemas import Wire

if TYPE_CHECKING:
    from models.describe import ModelFacts
    from models.measure_methods import MethodResult
    from models.teaching import FinetuneConfig, Record


class ModelOut(Wire):
    """A base or adapter on this machine; see `models.describe.ModelFacts`."""

    name: str
    folder: str
    place: str
    kind: str
    architecture: str | None
    family: str | None
    parameters: int | None
    window: int | None
    template: str | None
    megabytes: Mapping[str, int] | None
    method: str | None
    rank: int | None
    base: str | None
    fits: bool | None
    problem: str | None

    @classmethod
    def of(cls, facts: "ModelFacts") -> "ModelOut":
        return cls(**asdict(facts))


class ModelList(Wire):
    """The models that can be had, and what they would run on; `memory` is the device's, in MiB."""

    models: Sequence[ModelOut]
    server: str | None
    device: str
    dtype: str
    memory: int
    families: Sequence[str]

    @classmethod
    def of(cls, models: "Sequence[ModelFacts]", **rest: Any) -> "ModelList":
        return cls(models=[ModelOut.of(facts) for facts in models], **rest)


class TrainingReply(Wire):
    """What a training run did; losses are in nats a token, before and after, on held-out conversations."""

    out: str
    conversations: int
    steps: int
    trainable_share: float
    loss_before: float
    loss_after: float
    seconds: float
    megabytes: float
    stopped_early: bool

    @classmethod
    def of(cls, record: "Record", out: Path) -> "TrainingReply":
        values = asdict(record)
        del values["curve"]
        return cls(out=str(out), **values)


class MethodOut(Wire):
    """One method's measures, or why it was not run; `said` is what the knowledge base's table says of it."""

    method: str
    called: str
    trainable_share: float | None
    megabytes: float | None
    adapter_megabytes: float | None
    seconds: float | None
    loss_before: float | None
    loss_after: float | None
    problem: str | None
    said: Mapping[str, str]


class MethodsReply(Wire):
    """All methods' measures with where they come from."""

    methods: Sequence[MethodOut]
    provenance: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        results: "Sequence[MethodResult]",
        said: Mapping[str, Mapping[str, str]],
        base: str,
        data: Path,
        config: "FinetuneConfig",
    ) -> "MethodsReply":
        import platform
        from importlib.metadata import version

        return cls(
            methods=[MethodOut(**asdict(result), said=said.get(result.called, {})) for result in results],
            provenance={
                "base": Path(base).name if Path(base).is_dir() else base,
                "data_sha256": hashlib.sha256(data.read_bytes()).hexdigest(),
                "config": {name: value for name, value in asdict(config).items() if name != "method"},
                "python": platform.python_version(),
                "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
                "machine": platform.machine(),
            },
        )
