"""Teaches a chat model from conversations: a LoRA adapter through peft, or all weights of a small base.

    python -m models.finetune --base models/weights/chat --data conversations.jsonl --out my-adapter
    python -m models.finetune --base RUN/base --data reading.jsonl --out models/weights/chat --full

A line of the data is `{"messages": [{"role": "user", "content": …}, {"role": "assistant", "content": …}]}`. The loss is
taken on exactly the assistant's tokens and the end of its turn.
"""

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerBase

from kb.errors import InputError
from models.chat import Message
from models.inspect import MANIFEST, config_digest, fingerprint, locate
from models.load import load_base, load_tokenizer, pick_device
from models.template import ChatTemplate, Supervised


@dataclass(frozen=True)
class FinetuneConfig:
    """How to teach; `batch_tokens` is the padded size of a step, `held_out` the share of conversations to test on."""

    learning_rate: float
    epochs: float = 2.0
    batch_tokens: int = 4096
    max_tokens: int = 512
    held_out: float = 0.05
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    seed: int = 17


@dataclass(frozen=True)
class Record:
    """What a training run did: losses in nats per supervised token, before and after, on held-out conversations."""

    conversations: int
    steps: int
    trainable_share: float
    loss_before: float
    loss_after: float
    seconds: float


def read_conversations(file: Path) -> list[list[Message]]:
    """The conversations of a JSON Lines file.

    Raises:
        InputError: names the line that isn't one.
    """
    conversations = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            messages = [Message(turn["role"], turn["content"]) for turn in json.loads(line)["messages"]]
        except (ValueError, KeyError, TypeError) as problem:
            raise InputError(f'{file}, line {number}: not a {{"messages": […]}} conversation.') from problem
        conversations.append(messages)
    if len(conversations) < 2:
        raise InputError(f"{file}: at least two conversations are needed to train and to test.")
    return conversations


def batches(rows: Sequence[Supervised], budget: int, order: random.Random) -> Iterator[list[Supervised]]:
    """Rows of like length together, each padded batch within `budget` tokens, batches in random order."""
    by_length = sorted(rows, key=lambda row: (len(row.ids), order.random()))
    grouped: list[list[Supervised]] = []
    for row in by_length:
        if grouped and (len(grouped[-1]) + 1) * len(row.ids) <= budget:
            grouped[-1].append(row)
        else:
            grouped.append([row])
    order.shuffle(grouped)
    yield from grouped


def loss_of(model: Any, rows: Sequence[Supervised], pad: int) -> torch.Tensor:
    """Mean cross-entropy in nats over the supervised tokens of a right-padded batch."""
    width = max(len(row.ids) for row in rows)
    fill = [width - len(row.ids) for row in rows]
    ids = torch.tensor([row.ids + [pad] * n for row, n in zip(rows, fill, strict=True)])  # [n, width]
    taught = torch.tensor([row.mask + [False] * n for row, n in zip(rows, fill, strict=True)])
    attention = torch.tensor([[1] * len(row.ids) + [0] * n for row, n in zip(rows, fill, strict=True)])
    labels = ids.masked_fill(~taught, -100)
    device = model.device
    with torch.autocast(device.type, dtype=torch.bfloat16):
        output = model(input_ids=ids.to(device), attention_mask=attention.to(device), labels=labels.to(device))
    return cast("torch.Tensor", output.loss)


@torch.no_grad()
def held_out_loss(model: Any, rows: Sequence[Supervised], config: FinetuneConfig, pad: int) -> float:
    model.eval()
    losses = [loss_of(model, batch, pad).item() for batch in batches(rows, config.batch_tokens, random.Random(0))]
    model.train()
    return sum(losses) / len(losses)


def teach(model: Any, tokenizer: PreTrainedTokenizerBase, data: Path, config: FinetuneConfig) -> Record:
    """Trains the model's trainable parameters in place (AdamW, linear warm-up, cosine decay)."""
    began = time.monotonic()
    torch.manual_seed(config.seed)
    order = random.Random(config.seed)
    template = ChatTemplate(tokenizer)
    rows = [template.supervised(conversation) for conversation in read_conversations(data)]
    rows = [row for row in rows if len(row.ids) <= config.max_tokens]
    order.shuffle(rows)
    kept = max(1, int(len(rows) * config.held_out))
    tested, taught = rows[:kept], rows[kept:]
    pad = cast("int", tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trainable, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    before = held_out_loss(model, tested, config, pad)
    steps = max(1, int(config.epochs * sum(1 for _ in batches(taught, config.batch_tokens, order))))
    for step, batch in zip(range(steps), _endless(taught, config, order), strict=False):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, steps)
        loss = loss_of(model, batch, pad)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    share = sum(p.numel() for p in trainable) / sum(p.numel() for p in model.parameters())
    after = held_out_loss(model, tested, config, pad)
    return Record(len(rows), steps, round(share, 5), before, after, round(time.monotonic() - began, 1))


def train_adapter(base: str, data: Path, out: Path, config: FinetuneConfig, device: str = "auto") -> Record:
    """A LoRA adapter (Hu et al. 2021, arXiv:2106.09685) for `base`, written to `out` with tokenizer and manifest."""
    from peft import LoraConfig, get_peft_model

    folder = locate(base, "base")
    tokenizer = load_tokenizer(folder)
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules="all-linear",
    )
    torch.manual_seed(config.seed)
    model = cast("Any", get_peft_model(load_base(folder, pick_device(device)), lora))
    record = teach(model, tokenizer, data, config)
    model.peft_config["default"].base_model_name_or_path = folder.name
    model.save_pretrained(out, save_embedding_layers=False)
    tokenizer.save_pretrained(str(out))
    (out / "README.md").unlink(missing_ok=True)
    _write_manifest(out, base=folder, data=data, config=config, record=record)
    return record


def train_base(base: str, data: Path, out: Path, config: FinetuneConfig, device: str = "auto") -> Record:
    """All weights of a small base taught further; written to `out` in bfloat16 with its tokenizer."""
    folder = locate(base, "base")
    tokenizer = load_tokenizer(folder)
    model: Any = load_base(folder, pick_device(device)).requires_grad_(requires_grad=True)
    record = teach(model, tokenizer, data, config)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(str(out))
    _write_manifest(out, base=folder, data=data, config=config, record=record)
    return record


def _endless(rows: Sequence[Supervised], config: FinetuneConfig, order: random.Random) -> Iterator[list[Supervised]]:
    while True:
        yield from batches(rows, config.batch_tokens, order)


def _schedule(step: int, steps: int) -> float:
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _write_manifest(out: Path, *, base: Path, data: Path, config: FinetuneConfig, record: Record) -> None:
    manifest = {
        "base": base.name,
        "base_fingerprint": fingerprint(base),
        "data_sha256": hashlib.sha256(data.read_bytes()).hexdigest(),
        "training": asdict(config),
        "record": asdict(record),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
    }
    if (out / "adapter_config.json").is_file():
        manifest["config_sha256"] = config_digest(out)
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="a model's folder or hub id")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--full", action="store_true", help="train all weights, not an adapter")
    parser.add_argument("--epochs", type=float, default=FinetuneConfig.epochs)
    parser.add_argument("--learning-rate", type=float)
    given = parser.parse_args()
    rate = given.learning_rate or (5e-4 if given.full else 2e-3)
    config = FinetuneConfig(learning_rate=rate, epochs=given.epochs)
    train = train_base if given.full else train_adapter
    print(json.dumps(asdict(train(given.base, given.data, given.out, config)), indent=1))


if __name__ == "__main__":
    main()
