"""Pretrains the embedded chat base: a small Llama-shaped causal model over open Chinese and English text.

    python -m models.pretrain --corpus CORPUS --reading READING --run RUN --config models/configs/cpu.toml --minutes 60
    python -m models.pretrain ... --decay 1500 --out models/weights/chat
    python -m models.pretrain ... --start models/weights/chat      # a new run that goes on from these weights

The learning rate is held level (warm-up, stable, decay: Hu et al. 2024, arXiv:2404.06395), so a run can be stopped,
resumed and prolonged at will; `--decay` anneals a copy of the newest checkpoint and writes it as a Hugging Face folder.
Matrices are updated with Muon (Jordan et al. 2024), everything else with AdamW.
"""

import argparse
import json
import math
import random
import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from kb.errors import InputError
from models.corpus import is_held_out, read_corpus, read_rows
from models.schedules import set_rate, warm_up
from models.tokenizer import END_OF_TEXT, TURN_END, train_tokenizer

# How often a collection is seen in one pass: less than once where it is machine-translated or far from the subject.
WEIGHTS = {
    "laws": 0.25,
    "dotnet-docs-zh": 0.6,
    "sql-docs-zh": 0.6,
    "d2l-zh": 2,
    "hf-course": 2,
    "llm-action": 2,
    "ms-swift": 2,
    "prompt-guide": 2,
    "reading": 2,
    "self-llm": 2,
    "transformers": 2,
}


@dataclass(frozen=True)
class PretrainConfig:
    """Shape and schedule; `sequence` and `batch` are tokens per row and rows per step."""

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    intermediate_size: int
    context: int
    sequence: int
    batch: int
    learning_rate: float
    warmup_steps: int
    seed: int

    @classmethod
    def read(cls, path: Path) -> "PretrainConfig":
        return cls(**tomllib.loads(path.read_text(encoding="utf-8")))

    def model(self, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=self.vocab_size,
                hidden_size=self.hidden_size,
                num_hidden_layers=self.layers,
                num_attention_heads=self.heads,
                num_key_value_heads=self.kv_heads,
                intermediate_size=self.intermediate_size,
                max_position_embeddings=self.context,
                tie_word_embeddings=True,
                bos_token_id=None,
                eos_token_id=token_id(tokenizer, TURN_END),
                pad_token_id=token_id(tokenizer, END_OF_TEXT),
            )
        )


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    return cast("int", tokenizer.convert_tokens_to_ids(token))


def texts(corpus: Path, reading: Path, held_out: bool) -> Iterator[tuple[str, str]]:
    """(collection, text) of every document on one side of the hold-out line."""
    for document in read_corpus(corpus):
        if document.held_out == held_out:
            yield document.collection, document.text
    for file in sorted(reading.glob("*.corpus.jsonl.xz")):
        for row in read_rows(file):
            if is_held_out(row["id"]) == held_out:
                yield "reading", f"# {row['title']}\n\n{row['text']}"
    for row in read_rows(corpus / "parallel" / "python_docs_en_zh.jsonl.xz"):
        if is_held_out(row["path"]) == held_out and hash_share(row["en"]) < 0.3:
            yield "parallel", f"{row['en']}\n{row['zh']}"


def hash_share(text: str) -> float:
    """A fixed number in [0, 1) for a text, to sample by."""
    return random.Random(text).random()


def tokenise(rows: Iterator[tuple[str, str]], tokenizer: PreTrainedTokenizerFast, out: Path, seed: int) -> None:
    """Writes all rows as one shuffled run of uint16 token ids, documents parted by the end-of-text token."""
    end = token_id(tokenizer, END_OF_TEXT)
    chosen = random.Random(seed)
    documents: list[str] = []
    for collection, text in rows:
        weight = WEIGHTS.get(collection, 1)
        documents += [text] * (math.floor(weight) + (chosen.random() < weight % 1))
    if not documents:
        raise InputError(f"No documents for {out.name}: the corpus is too small to hold any out. Give more text.")
    chosen.shuffle(documents)
    ids: list[NDArray[np.uint16]] = []
    for first in range(0, len(documents), 256):
        batch = tokenizer.backend_tokenizer.encode_batch(documents[first : first + 256], add_special_tokens=False)
        ids += [np.array([*encoded.ids, end], dtype=np.uint16) for encoded in batch]
    part = out.with_suffix(".part")
    np.concatenate(ids).tofile(part)
    part.rename(out)


def prepare(corpus: Path, reading: Path, run: Path, config: PretrainConfig) -> PreTrainedTokenizerFast:
    """Tokenizer and token files in `run`, made once and found again afterwards."""
    folder = run / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        sample = (text for _, text in texts(corpus, reading, held_out=False) if hash_share(text) < 0.35)
        train_tokenizer(sample, config.vocab_size).save_pretrained(str(folder))
    tokenizer = cast("PreTrainedTokenizerFast", PreTrainedTokenizerFast.from_pretrained(str(folder)))
    for name, held_out in (("train", False), ("held_out", True)):
        if not (run / f"{name}.bin").exists():
            tokenise(texts(corpus, reading, held_out), tokenizer, run / f"{name}.bin", config.seed)
    return tokenizer


class Trainer:
    """One run folder's model, optimisers and place in the data; `step` is all the state a resumed run needs."""

    def __init__(self, config: PretrainConfig, run: Path, tokenizer: PreTrainedTokenizerFast, device: str) -> None:
        torch.manual_seed(config.seed)
        self.config, self.run, self.device, self.step = config, run, device, 0
        self.tokens = np.memmap(run / "train.bin", dtype=np.uint16, mode="r")
        self.model: Any = config.model(tokenizer)
        cast("Any", self.model).to(device)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        others = [p for n, p in self.model.named_parameters() if p.ndim != 2 or "embed" in n]
        lr = config.learning_rate
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=lr, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.95), weight_decay=0.0),
        ]

    def batch(self, step: int) -> torch.Tensor:
        """Token ids [batch, sequence] of one step: seeded random windows over the whole text."""
        starts = np.random.default_rng((self.config.seed, step)).integers(
            0, len(self.tokens) - self.config.sequence, self.config.batch
        )
        rows = np.stack([self.tokens[s : s + self.config.sequence] for s in starts]).astype(np.int64)
        return torch.from_numpy(rows).to(self.device)

    def train_step(self, rate: float) -> float:
        """One update at `rate` times the full learning rate; returns the loss in nats a token."""
        set_rate(self.optimisers, self.config.learning_rate * rate)
        ids = self.batch(self.step)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            loss = self.model(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def held_out_loss(self, rows: int = 64) -> float:
        """Mean loss in nats a token over the first `rows` windows of the held-out documents."""
        tokens = np.fromfile(self.run / "held_out.bin", dtype=np.uint16)
        width = self.config.sequence
        starts = np.linspace(0, len(tokens) - width, rows).astype(int)
        losses = []
        for first in range(0, rows, 8):
            ids = np.stack([tokens[s : s + width] for s in starts[first : first + 8]]).astype(np.int64)
            batch = torch.from_numpy(ids).to(self.device)
            with torch.autocast(self.device, dtype=torch.bfloat16):
                losses.append(float(self.model(input_ids=batch, labels=batch).loss))
        return sum(losses) / len(losses)

    def save(self) -> None:
        part = self.run / "checkpoint.part"
        optimisers = [optimiser.state_dict() for optimiser in self.optimisers]
        state = {"step": self.step, "model": self.model.state_dict(), "optimisers": optimisers}
        torch.save(state, part)
        part.replace(self.run / "checkpoint.pt")

    def resume(self) -> None:
        """Continues from the run's checkpoint when there is one."""
        path = self.run / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.step = state["step"]
            self.model.load_state_dict(state["model"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)

    def start_from(self, folder: Path) -> None:
        """Takes the weights of a model of the same shape and tokenizer; the schedule begins anew.

        Raises:
            InputError: the folder's tokenizer is not the run's, so its weights would mean something else.
        """
        theirs, ours = (json.loads((at / "tokenizer.json").read_bytes()) for at in (folder, self.run / "tokenizer"))
        if theirs["model"] != ours["model"]:
            raise InputError(f"{folder}: another tokenizer than the run's. Copy it to {self.run / 'tokenizer'} first.")
        self.model.load_state_dict(LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict())

    def log(self, **row: float) -> None:
        tokens = self.step * self.config.batch * self.config.sequence
        with (self.run / "log.jsonl").open("a") as log:
            log.write(json.dumps({"step": self.step, "tokens": tokens, **row}) + "\n")


def train(trainer: Trainer, minutes: float, checkpoint_minutes: float = 10) -> None:
    """Trains at the level rate for `minutes`, saving every `checkpoint_minutes` and at the end."""
    began = saved = time.monotonic()
    losses: list[float] = []
    while time.monotonic() - began < minutes * 60:
        losses.append(trainer.train_step(warm_up(trainer.step, trainer.config.warmup_steps)))
        if trainer.step % 50 == 0:
            trainer.log(loss=round(sum(losses) / len(losses), 4), seconds=round(time.monotonic() - began, 1))
            losses.clear()
        if time.monotonic() - saved > checkpoint_minutes * 60:
            trainer.save()
            trainer.log(held_out=round(trainer.held_out_loss(), 4))
            saved = time.monotonic()
    trainer.save()
    trainer.log(held_out=round(trainer.held_out_loss(), 4))


def decay(trainer: Trainer, steps: int) -> None:
    """Anneals linearly to zero over `steps`; the run's own checkpoint is left as it is."""
    for done in range(steps):
        loss = trainer.train_step(1 - done / steps)
        if trainer.step % 50 == 0:
            trainer.log(decay_loss=round(loss, 4))
    trainer.log(decayed_held_out=round(trainer.held_out_loss(256), 4))


def export(trainer: Trainer, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Writes the model in bfloat16 with its tokenizer and a record of how it was made."""
    trainer.model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(str(out))
    record = {"step": trainer.step, "config": asdict(trainer.config), "torch": torch.__version__}
    (out / "pretraining.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="checkpoints, tokens and log; found again to resume")
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "configs" / "cpu.toml")
    parser.add_argument("--start", type=Path, help="begin a new run from the weights in this folder")
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--decay", type=int, default=0, help="anneal for this many steps")
    parser.add_argument("--out", type=Path, help="write the model here")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    config = PretrainConfig.read(given.config)
    given.run.mkdir(parents=True, exist_ok=True)
    tokenizer = prepare(given.corpus, given.reading, given.run, config)
    trainer = Trainer(config, given.run, tokenizer, given.device)
    if given.start and not (given.run / "checkpoint.pt").exists():
        trainer.start_from(given.start)
    trainer.resume()
    if given.minutes:
        train(trainer, given.minutes)
    if given.decay:
        decay(trainer, given.decay)
    if given.out:
        export(trainer, tokenizer, given.out)


if __name__ == "__main__":
    main()
