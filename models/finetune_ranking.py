"""Teaches a chat model which of several prompts a text belongs to: all weights of a small base, or a LoRA adapter.

    python -m models.finetune_ranking --base RUN/base --data groups.jsonl --out models/weights/chat
    python -m models.finetune_ranking --base models/weights/chat --adapter ADAPTER --data groups.jsonl --out ADAPTER

A line of the data is `{"prompts": [[{"role", "content"}, …], …], "continuation": …, "right": i}`: the text
belongs to prompt i. The loss is the cross-entropy of choosing that prompt by the continuation's likelihood
(ListNet's top-one loss, Cao et al. 2007, over query likelihoods as in Sachan et al. 2022, arXiv:2204.07496) and a share
of the likelihood itself, which keeps it a language model.
"""

import argparse
import hashlib
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerBase

from kb.errors import InputError
from models.chat import Message
from models.finetune import FinetuneConfig, Record
from models.inspect import MANIFEST, locate
from models.load import load_base, load_tokenizer, pick_device
from models.template import render

LIKELIHOOD = 0.3


@dataclass(frozen=True)
class Group:
    """Token ids of n prompts and of the continuation that belongs to the one at `right`."""

    prompts: tuple[tuple[int, ...], ...]
    continuation: tuple[int, ...]
    right: int

    @property
    def width(self) -> int:
        return max(len(prompt) for prompt in self.prompts) + len(self.continuation)

    @property
    def size(self) -> int:
        """Tokens when padded."""
        return self.width * len(self.prompts)


def read_groups(file: Path, tokenizer: PreTrainedTokenizerBase, longest: int) -> list[Group]:
    """The groups of a JSON Lines file whose rows have at most `longest` tokens.

    Raises:
        InputError: names the line that isn't one.
    """
    groups = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            prompts = [[Message(turn["role"], turn["content"]) for turn in prompt] for prompt in row["prompts"]]
            continuation = tokenizer(row["continuation"], add_special_tokens=False)["input_ids"]
            group = Group(tuple(tuple(render(tokenizer, p)) for p in prompts), tuple(continuation), int(row["right"]))
        except (ValueError, KeyError, TypeError) as problem:
            raise InputError(f'{file}, line {number}: not a {{"prompts", "continuation", "right"}} group.') from problem
        if group.width <= longest:
            groups.append(group)
    if len(groups) < 2:
        raise InputError(f"{file}: at least two groups are needed to train and to test.")
    return groups


def batches(groups: Sequence[Group], budget: int, order: random.Random) -> Iterator[list[Group]]:
    """Groups of like width together, each batch within `budget` padded tokens, batches in random order."""
    made: list[list[Group]] = []
    for group in sorted(groups, key=lambda group: (group.width, order.random())):
        if made and sum(one.size for one in made[-1]) + group.size <= budget:
            made[-1].append(group)
        else:
            made.append([group])
    order.shuffle(made)
    yield from made


def continuation_nats(model: Any, groups: Sequence[Group], pad: int) -> list[torch.Tensor]:
    """For each group, log P(continuation | prompt) in nats for its n prompts, [n]."""
    rows = [(*prompt, *group.continuation) for group in groups for prompt in group.prompts]
    width, kept = max(map(len, rows)), max(len(group.continuation) for group in groups)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=model.device)  # [rows, width]
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    with torch.autocast(model.device.type, dtype=torch.bfloat16):
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            logits_to_keep=kept + 1,
            use_cache=False,
        ).logits[:, :-1]  # [rows, kept, vocabulary]
    nats = -torch.nn.functional.cross_entropy(
        logits.float().transpose(1, 2), ids[:, -kept:], reduction="none"
    )  # [rows, kept]
    found, at = [], 0
    for group in groups:
        found.append(nats[at : at + len(group.prompts), kept - len(group.continuation) :].sum(-1))
        at += len(group.prompts)
    return found


def loss_of(model: Any, groups: Sequence[Group], pad: int) -> torch.Tensor:
    """Mean over groups of the listwise loss and a share of the right prompt's loss per token."""
    losses = []
    for group, nats in zip(groups, continuation_nats(model, groups, pad), strict=True):
        chosen = -torch.log_softmax(nats, dim=0)[group.right]
        losses.append(chosen - LIKELIHOOD * nats[group.right] / len(group.continuation))
    return torch.stack(losses).mean()


@torch.no_grad()
def share_right(model: Any, groups: Sequence[Group], config: FinetuneConfig, pad: int) -> float:
    """How often the right prompt is the likeliest."""
    model.eval()
    right = [
        int(nats.argmax()) == group.right
        for batch in batches(groups, config.batch_tokens, random.Random(0))
        for group, nats in zip(batch, continuation_nats(model, batch, pad), strict=True)
    ]
    model.train()
    return sum(right) / len(right)


def teach(model: Any, tokenizer: PreTrainedTokenizerBase, data: Path, config: FinetuneConfig) -> Record:
    """Trains the model's trainable parameters in place; the record's losses are shares of wrong choices."""
    began = time.monotonic()
    torch.manual_seed(config.seed)
    order = random.Random(config.seed)
    groups = read_groups(data, tokenizer, config.max_tokens)
    order.shuffle(groups)
    kept = max(1, int(len(groups) * config.held_out))
    tested, taught = groups[:kept], groups[kept:]
    pad = cast("int", tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trainable, lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    before = 1 - share_right(model, tested, config, pad)
    steps = max(1, int(config.epochs * sum(1 for _ in batches(taught, config.batch_tokens, order))))
    done = 0
    while done < steps:
        for batch in batches(taught, config.batch_tokens, order):
            for settings in optimiser.param_groups:
                settings["lr"] = config.learning_rate * _schedule(done, steps)
            loss = loss_of(model, batch, pad)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(trainable, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            done += 1
            if done % 50 == 0:
                print(f"step {done}/{steps} loss {loss.item():.3f}", flush=True)
            if done == steps:
                break
    share = sum(p.numel() for p in trainable) / sum(p.numel() for p in model.parameters())
    after = 1 - share_right(model, tested, config, pad)
    return Record(len(groups), steps, round(share, 5), before, after, round(time.monotonic() - began, 1))


def teach_base(base: str, data: Path, out: Path, config: FinetuneConfig, device: str = "auto") -> Record:
    """All weights of a small base taught further; written to `out` in bfloat16 with its tokenizer."""
    folder = locate(base, "base")
    tokenizer = load_tokenizer(folder)
    model: Any = load_base(folder, pick_device(device)).requires_grad_(requires_grad=True)
    record = teach(model, tokenizer, data, config)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(str(out))
    _add_to_manifest(folder, out, data, config, record)
    return record


def teach_adapter(
    base: str, adapter: Path, data: Path, out: Path, config: FinetuneConfig, *, device: str = "auto"
) -> Record:
    """An adapter of `base` taught further; written to `out` with its tokenizer."""
    from peft import PeftModel

    folder = locate(base, "base")
    tokenizer = load_tokenizer(folder)
    model: Any = PeftModel.from_pretrained(load_base(folder, pick_device(device)), str(adapter), is_trainable=True)
    record = teach(model, tokenizer, data, config)
    model.peft_config["default"].base_model_name_or_path = folder.name
    readme = (out / "README.md").read_bytes() if (out / "README.md").is_file() else None
    model.save_pretrained(out, save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)
    if readme is not None:
        (out / "README.md").write_bytes(readme)
    tokenizer.save_pretrained(str(out))
    _add_to_manifest(adapter, out, data, config, record)
    return record


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up over a twentieth of the steps, then a cosine to zero."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _add_to_manifest(before: Path, out: Path, data: Path, config: FinetuneConfig, record: Record) -> None:
    """What was known of the weights before, and how they were taught since."""
    known = before / MANIFEST
    manifest = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else {}
    manifest["ranking"] = {
        "data_sha256": hashlib.sha256(data.read_bytes()).hexdigest(),
        "training": asdict(config),
        "record": asdict(record),
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="a model's folder or hub id")
    parser.add_argument("--adapter", type=Path, help="teach this adapter of the base, not the base itself")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--learning-rate", type=float)
    given = parser.parse_args()
    rate = given.learning_rate or (5e-4 if given.adapter else 2e-4)
    config = FinetuneConfig(learning_rate=rate, epochs=given.epochs, batch_tokens=6144, max_tokens=384)
    if given.adapter:
        record = teach_adapter(given.base, given.adapter, given.data, given.out, config)
    else:
        record = teach_base(given.base, given.data, given.out, config)
    print(json.dumps(asdict(record), indent=1))


if __name__ == "__main__":
    main()
