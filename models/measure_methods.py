"""Each way of tuning, trained on the same conversations and measured: what the guide says of them, checked."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kb.errors import InputError
from models.finetune import finetune
from models.methods import METHODS
from models.teaching import FinetuneConfig, Progress, Record


@dataclass(frozen=True)
class MethodResult:
    """What one method took and gave, or why it could not be run.

    `megabytes` are weights, gradients and the optimiser's state; losses are in nats per token of held-out answers;
    `adapter_megabytes` is what has to be kept of it.
    """

    method: str
    called: str
    trainable_share: float | None = None
    megabytes: float | None = None
    adapter_megabytes: float | None = None
    seconds: float | None = None
    loss_before: float | None = None
    loss_after: float | None = None
    problem: str | None = None


NOT_IN_PEFT = (
    MethodResult("adapterfusion", "AdapterFusion", problem="peft does not have it; the package `adapters` does"),
)


def measure(
    base: str,
    data: Path,
    methods: Sequence[str],
    config: FinetuneConfig,
    *,
    device: str = "auto",
    progress: Progress = lambda *_: None,
) -> list[MethodResult]:
    """Trains each method on the same data with the same seed and number of steps, and takes its measures."""
    results = []
    for name in methods:
        with tempfile.TemporaryDirectory(prefix="guide-methods-") as folder:
            out, one = Path(folder) / name, replace(config, method=name)
            try:
                record = finetune(base, data, out, one, device=device, progress=_named(name, progress))
            except InputError as problem:
                results.append(MethodResult(name, METHODS[name].called, problem=str(problem)))
                continue
            kept = sum(file.stat().st_size for file in out.glob("*.safetensors"))
            results.append(_result(name, record, kept))
    return [*results, *NOT_IN_PEFT]


def _named(name: str, progress: Progress) -> Progress:
    return lambda what, done, total: progress(f"{name}: {what}", done, total)


def _result(name: str, record: Record, kept_bytes: int) -> MethodResult:
    return MethodResult(
        method=name,
        called=METHODS[name].called,
        trainable_share=record.trainable_share,
        megabytes=record.megabytes,
        adapter_megabytes=round(kept_bytes / 2**20, 2),
        seconds=record.seconds,
        loss_before=record.loss_before,
        loss_after=record.loss_after,
    )
