"""The training loop: the loss on exactly the assistant's tokens, early stopping, and resuming as if never stopped.

It is written out, where transformers has a Trainer, because batches are filled by tokens, not rows, and a resumed run
takes the very steps that it would have taken.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from kb.errors import InputError
from models.conversations import batches, padded, padded_pairs
from models.methods import Method, after_step, state_megabytes
from models.schedules import cosine, set_rate
from models.template import Supervised
from models.threads import few_threads

Progress = Callable[[str, int, int], None]
TINY_PARAMETERS = 1_000_000  # a training step has more to do than one of writing, so threads pay sooner


@dataclass(frozen=True)
class FinetuneConfig:
    """How to teach; `batch_tokens` is the padded size of a step, `held_out` the share of conversations to test on.

    `learning_rate` None takes the method's own. The held-out loss is taken `evaluations` times; after `patience` of
    them without a better one the training ends and the best weights are taken (0: never).
    """

    method: str = "lora"
    learning_rate: float | None = None
    epochs: float = 2.0
    batch_tokens: int = 4096
    max_tokens: int = 512
    held_out: float = 0.05
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    evaluations: int = 8
    patience: int = 0
    load_in_4bit: bool = False
    seed: int = 17


@dataclass(frozen=True)
class Measured:
    """The losses after a step, in nats per supervised token."""

    step: int
    loss: float
    held_out: float


@dataclass(frozen=True)
class Record:
    """What a training run did; `loss_before` and `loss_after` are over the held-out conversations.

    `megabytes` are the weights, their gradients and the optimiser's state.
    """

    conversations: int
    steps: int
    trainable_share: float
    loss_before: float
    loss_after: float
    seconds: float
    megabytes: float = 0.0
    stopped_early: bool = False
    curve: tuple[Measured, ...] = field(default=())


class Teacher:
    """Trains a model's trainable parameters in place: AdamW, linear warm-up, cosine decay.

    `checkpoint` is written at every evaluation; a run over the same data, with `base` of the same fingerprint, goes on
    from it when `resume` is called.
    """

    def __init__(
        self,
        model: Any,
        method: Method,
        rows: Sequence[Supervised],
        config: FinetuneConfig,
        *,
        pad: int,
        checkpoint: Path | None = None,
        base: str = "",
    ) -> None:
        self.model, self.method, self.config, self.pad, self.checkpoint = model, method, config, pad, checkpoint
        self.base, self.data = base, _digest(rows)
        self.encodes = bool(model.config.is_encoder_decoder)
        shuffled = list(rows)
        random.Random(config.seed).shuffle(shuffled)
        kept = max(1, int(len(shuffled) * config.held_out))
        self.tested, self.taught = shuffled[:kept], shuffled[kept:]
        self.rate = config.learning_rate or method.rate
        self.trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimiser = torch.optim.AdamW(self.trainable.values(), lr=self.rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.per_epoch = len(list(self._epoch(0)))
        self.steps = steps_of(self.per_epoch, config)
        self.step, self.curve, self.best = 0, list[Measured](), dict[str, torch.Tensor]()
        self.before = 0.0

    def run(self, progress: Progress) -> Record:
        """Trains to the end, or until the held-out loss gets no better."""
        with few_threads(self.model, TINY_PARAMETERS):
            return self._run(progress)

    def _run(self, progress: Progress) -> Record:
        began = time.monotonic()
        if self.step == 0:
            self.before = self.held_out_loss()
        every = max(1, self.steps // self.config.evaluations)
        recent: list[float] = []
        stopped = False
        for batch in self._batches_from(self.step):
            recent.append(self._learn(batch))
            progress(f"loss {recent[-1]:.3f}", self.step, self.steps)
            if self.step % every == 0 or self.step == self.steps:
                self._measure(sum(recent) / len(recent))
                recent.clear()
                if stopped := self._no_better():
                    break
        if self.config.patience:
            self._take_best()
        return self._record(time.monotonic() - began, stopped=stopped)

    def resume(self) -> None:
        """Goes on from the checkpoint, if there is one.

        Raises:
            InputError: it was made with another configuration, base or data.
        """
        if self.checkpoint is None or not self.checkpoint.is_file():
            return
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if state.get("made_of") != self._made_of():
            raise InputError(f"{self.checkpoint}: made with other options, base or data. Give the same, or remove it.")
        with torch.no_grad():
            for name, parameter in self.trainable.items():
                parameter.copy_(state["weights"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        self.step, self.before, self.best = state["step"], state["before"], state["best"]
        self.curve = [Measured(**row) for row in state["curve"]]

    def _made_of(self) -> dict[str, Any]:
        """All that decides what a run comes to."""
        return asdict(self.config) | {"base": self.base, "data": self.data}

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """Mean over all supervised tokens of the held-out conversations, without any method's regularisation."""
        self.model.eval()
        total, count = 0.0, 0
        for batch in batches(self.tested, self.config.batch_tokens, random.Random(0)):
            fed = self._fed(batch)
            logits, labels = self.model(**fed).logits.float(), fed["labels"]
            if not self.encodes:
                logits, labels = logits[:, -labels.shape[1] : -1], labels[:, 1:]  # after virtual tokens, one behind
            total += torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum"
            ).item()
            count += int((labels != -100).sum())
        self.model.train()
        return total / max(count, 1)

    def _learn(self, batch: Sequence[Supervised]) -> float:
        set_rate([self.optimiser], self.rate * cosine(self.step, self.steps, warmup=max(1, self.steps // 20)))
        with torch.autocast(self.model.device.type, dtype=torch.bfloat16):
            loss = self.model(**self._fed(batch)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trainable.values(), 1.0)
        self.optimiser.step()
        after_step(self.model, self.method, self.step)
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return cast("float", loss.item())

    def _fed(self, batch: Sequence[Supervised]) -> dict[str, Any]:
        return (padded_pairs if self.encodes else padded)(batch, self.pad, self.model.device)

    def _epoch(self, number: int) -> Iterator[list[Supervised]]:
        yield from batches(self.taught, self.config.batch_tokens, random.Random(f"{self.config.seed}-{number}"))

    def _batches_from(self, step: int) -> Iterator[list[Supervised]]:
        for at in range(step, self.steps):
            epoch, place = divmod(at, self.per_epoch)
            if place == 0 or at == step:
                todo = list(self._epoch(epoch))
            yield todo[place]

    def _measure(self, loss: float) -> None:
        measured = Measured(self.step, round(loss, 4), round(self.held_out_loss(), 4))
        if self.config.patience and all(measured.held_out < earlier.held_out for earlier in self.curve):
            self.best = {name: p.detach().cpu().clone() for name, p in self.trainable.items()}
        self.curve.append(measured)
        if self.checkpoint is not None:
            self._save(self.checkpoint)

    def _no_better(self) -> bool:
        losses = [measured.held_out for measured in self.curve]
        return bool(self.config.patience) and len(losses) - 1 - losses.index(min(losses)) >= self.config.patience

    def _take_best(self) -> None:
        with torch.no_grad():
            for name, tensor in self.best.items():
                self.trainable[name].copy_(tensor)

    def _save(self, file: Path) -> None:
        state = {
            "made_of": self._made_of(),
            "step": self.step,
            "before": self.before,
            "curve": [asdict(measured) for measured in self.curve],
            "weights": {name: p.detach().cpu() for name, p in self.trainable.items()},
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(file)

    def _record(self, seconds: float, *, stopped: bool) -> Record:
        trainable = sum(p.numel() for p in self.trainable.values())
        everything = sum(original_size(p) for p in self.model.parameters())
        return Record(
            conversations=len(self.tested) + len(self.taught),
            steps=self.step,
            trainable_share=round(trainable / everything, 6),
            loss_before=round(self.before, 4),
            loss_after=round(self.held_out_loss(), 4),
            seconds=round(seconds, 1),
            megabytes=round(state_megabytes(self.model, self.optimiser), 1),
            stopped_early=stopped,
            curve=tuple(self.curve),
        )


def _digest(rows: Sequence[Supervised]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr((row.ids, row.mask)).encode())
    return digest.hexdigest()


def steps_of(batches_per_epoch: int, config: FinetuneConfig) -> int:
    return max(1, int(config.epochs * batches_per_epoch))


def original_size(parameter: torch.Tensor) -> int:
    """How many numbers a parameter stands for, also when bitsandbytes packs two into a byte."""
    return parameter.numel() * (2 if parameter.dtype == torch.uint8 else 1)
