"""Trains the network that settles what the n-grams leave undecided.

    python -m ingest.mojibake.train_network --corpus CORPUS --reading READING --run RUN --steps 3000

Every character above ASCII is predicted from the symbols on both sides of it, among the characters that it could be if
its last or its second byte were missing, and (at a lower weight) among all. A part of what it sees is hidden or
replaced by such a lookalike, as the neighbours of a damaged character are. Some rows are not text but words of
dictionaries with nothing around them, for what the texts do not speak of. Matrices are updated with Muon (Jordan et al.
2024), everything else with AdamW. A run is seeded and goes on from its last checkpoint. The weights that are shipped
are made of it by `ingest.mojibake.tune_network`.
"""

import argparse
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ingest.mojibake.lexicon import mixed, word_counts
from ingest.mojibake.network import AROUND, FAR, HIDDEN, UNKNOWN
from ingest.mojibake.symbols import NEWLINE, symbols
from ingest.mojibake.train import SMALLEST_WORD
from models.corpus import is_held_out, read_corpus, read_rows
from models.schedules import set_rate, stable_then_decay

SPECIAL = {UNKNOWN: "\ufffd", HIDDEN: "\ufffe"}
TIMES = {"laws": 0.4, "dotnet-docs-zh": 0.6, "sql-docs-zh": 0.6, "reading": 4}  # how often a collection is seen; else 1
WORDS = 3_000_000  # symbols; words are drawn by their frequency to this power:
FLATTENED = 0.6
RAREST = 5  # occurrences of a symbol in all that
HIDE, MISTAKE = 0.05, 0.012  # of the symbols that the network sees
EVERYTHING = 0.3  # weight of the prediction among all symbols
WARMUP = 200


@dataclass(frozen=True)
class Shape:
    """Sizes of the layers; `rows` sequences of `length` symbols, some of them of words, make a batch."""

    embedding: int = 80
    hidden: int = 768
    blocks: int = 2
    query: int = 128
    rows: int = 16
    word_rows: int = 3
    length: int = 512


class Block(nn.Module):
    """Adds what two layers make of the normalised input."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.up = nn.Linear(size, size)
        self.down = nn.Linear(size, size)

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = self.down(functional.relu(self.up(self.norm(hidden))))
        return hidden + changed


class TrainedNetwork(nn.Module):
    """The same function as `network.Network`, for every place of a sequence at once."""

    def __init__(self, vocabulary: int, shape: Shape) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, shape.embedding)
        self.near = nn.Linear(2 * AROUND * shape.embedding, shape.hidden)
        self.far = nn.Linear(shape.embedding, shape.hidden, bias=False)
        self.blocks = nn.ModuleList(Block(shape.hidden) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(shape.hidden)
        self.query = nn.Linear(shape.hidden, shape.query)
        self.symbol = nn.Linear(shape.query, vocabulary)
        nn.init.normal_(self.embedding.weight, std=0.3)
        nn.init.normal_(self.symbol.weight, std=0.3)

    def forward(self, seen: Tensor) -> Tensor:
        """Queries [rows, length, query] for the places of `seen` [rows, FAR + length + FAR] but its two edges."""
        embedded = self.embedding(seen)
        far = self._around(embedded.float(), FAR) / (2 * FAR)
        middle = embedded[:, FAR - AROUND : seen.shape[1] - FAR + AROUND]
        windows = middle.unfold(1, 2 * AROUND + 1, 1).transpose(2, 3)  # [rows, length, 2 AROUND + 1, embedding]
        near = torch.cat([windows[:, :, :AROUND], windows[:, :, AROUND + 1 :]], 2).flatten(2)
        hidden = functional.relu(self.near(near) + self.far(far))
        for block in self.blocks:
            hidden = block(hidden)
        queries: Tensor = self.query(self.norm(hidden))
        return queries

    @staticmethod
    def _around(embedded: Tensor, reach: int) -> Tensor:
        """Sums over `reach` places on either side of each place that has so many, without the place itself."""
        sums = functional.pad(embedded.cumsum(1), (0, 0, 1, 0))
        width = 2 * reach + 1
        return sums[:, width:] - sums[:, :-width] - embedded[:, reach:-reach]


def lookalikes(vocabulary: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each symbol those that differ in the last byte of UTF-8, and those that differ in the second one.

    Indexes [2, symbols, 64] and whether they mean anything; a symbol itself comes first.
    """
    found = np.zeros((2, len(vocabulary), 64), np.int64)
    real = np.zeros((2, len(vocabulary), 64), bool)
    for which, at in enumerate((2, 1)):
        groups: defaultdict[bytes, list[int]] = defaultdict(list)
        for number, symbol in enumerate(vocabulary):
            data = symbol.encode("utf-8")
            if len(data) == 3 and number not in SPECIAL:
                groups[data[:at] + data[at + 1 :]].append(number)
        for members in groups.values():
            for number in members:
                row = [number, *(other for other in members if other != number)]
                found[which, number, : len(row)] = row
                real[which, number, : len(row)] = True
    return found, real


def training_texts(corpus: Path, reading: Path, held_out: bool) -> Iterator[tuple[str, str]]:
    """(collection, text) of every Chinese document on one side of the hold-out line."""
    for document in read_corpus(corpus, ("zh", "zh_sharealike")):
        if document.held_out == held_out:
            yield document.collection, document.text
    for file in sorted(reading.glob("*.corpus.jsonl.xz")):
        for row in read_rows(file):
            if is_held_out(row["title"]) == held_out:
                yield "reading", row["text"]


def prepare(corpus: Path, reading: Path, run: Path) -> str:
    """The vocabulary; the numbered texts are left in `run`, made once and found again."""
    if not (run / "vocabulary.txt").exists():
        texts = [(name, symbols(text) + NEWLINE) for name, text in training_texts(corpus, reading, held_out=False)]
        chosen = np.random.default_rng(0)
        words = sampled_words("".join(text for _, text in texts), corpus / "words", chosen)
        counts = Counter(chain(words, *(text for _, text in texts)))
        often = sorted(s for s, count in counts.items() if count >= RAREST and s not in SPECIAL.values())
        vocabulary = "".join([*SPECIAL.values(), *often])
        _numbered(words, vocabulary).tofile(run / "words.bin")
        repeated = [text for name, text in texts for _ in range(_times(TIMES.get(name, 1), chosen))]
        order = chosen.permutation(len(repeated))
        _numbered("".join(repeated[n] for n in order), vocabulary).tofile(run / "train.bin")
        kept = "".join(symbols(text) + NEWLINE for _, text in training_texts(corpus, reading, held_out=True))
        _numbered(kept, vocabulary).tofile(run / "held_out.bin")
        (run / "vocabulary.txt").write_text(vocabulary, encoding="utf-8", newline="")
    return (run / "vocabulary.txt").read_bytes().decode("utf-8")


def sampled_words(text: str, fields: Path, chosen: np.random.Generator) -> str:
    """Words of all sources as often as they are used, but for the commonest, each between two hidden symbols."""
    words = {word: p for word, p in mixed(word_counts(text, fields), SMALLEST_WORD).items() if len(word) > 1}
    shares = np.exp(FLATTENED * np.array(list(words.values())))
    drawn = chosen.choice(len(words), WORDS // 3, p=shares / shares.sum())
    listed = list(words)
    return SPECIAL[HIDDEN].join(listed[n] for n in drawn)


def _times(mean: float, chosen: np.random.Generator) -> int:
    return math.floor(mean) + int(chosen.random() < mean % 1)


def _numbered(text: str, vocabulary: str) -> NDArray[np.uint16]:
    table = np.full(0x110000, UNKNOWN, np.uint16)
    for number, symbol in enumerate(vocabulary):
        table[ord(symbol)] = number
    return table[np.frombuffer(text.encode("utf-32-le"), np.uint32)]


class Trainer:
    """A run's network, optimisers and place in the data."""

    def __init__(self, vocabulary: str, shape: Shape, run: Path, steps: int, rate: float) -> None:
        torch.manual_seed(0)
        self.vocabulary, self.shape, self.run, self.steps, self.rate = vocabulary, shape, run, steps, rate
        self.text = np.memmap(run / "train.bin", np.uint16, mode="r")
        self.words = np.memmap(run / "words.bin", np.uint16, mode="r")
        self.network = TrainedNetwork(len(vocabulary), shape)
        found, real = lookalikes(vocabulary)
        self.lookalikes, self.real = torch.from_numpy(found), torch.from_numpy(real)
        self.step = 0
        named = dict(self.network.named_parameters())
        matrices = [p for name, p in named.items() if p.ndim == 2 and not name.startswith(("embedding", "symbol"))]
        others = [p for p in named.values() if not any(p is matrix for matrix in matrices)]
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=rate, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]

    def rows(self, text: NDArray[np.uint16], starts: Sequence[int]) -> Tensor:
        """Windows of a numbered text [starts, FAR + length + FAR]."""
        width = self.shape.length + 2 * FAR
        return torch.from_numpy(np.stack([text[start : start + width] for start in starts]).astype(np.int64))

    def last(self, text: NDArray[np.uint16]) -> int:
        return len(text) - self.shape.length - 2 * FAR

    def batch(self, true: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What the network sees of `true` [rows, FAR + length + FAR], and what stands there [rows, length]."""
        lookalikes, real = self._lookalikes(true, generator)
        choice = (torch.rand(true.shape, generator=generator) * real.sum(-1)).long()
        mistaken = lookalikes.gather(-1, choice.unsqueeze(-1)).squeeze(-1)
        noise = torch.rand(true.shape, generator=generator)
        seen = torch.where((noise < MISTAKE) & real[..., 0], mistaken, true)
        seen = torch.where((noise > 1 - HIDE) & real[..., 0], HIDDEN, seen)
        return seen, true[:, FAR:-FAR]

    def _lookalikes(self, true: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        which = torch.randint(2, true.shape, generator=generator)
        return self.lookalikes[which, true], self.real[which, true]

    def losses(self, seen: Tensor, true: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Nats among lookalikes, nats among all, and the share right among lookalikes, of the places that have any."""
        lookalikes, real = self._lookalikes(true, generator)
        asked = real[..., 1]
        with torch.autocast("cpu", torch.bfloat16):
            scores = self.network.symbol(self.network(seen)[asked])
        among = scores.gather(1, lookalikes[asked]).float().masked_fill(~real[asked], -torch.inf)
        near = -among.log_softmax(1)[:, 0].mean()
        everything = functional.cross_entropy(scores.float(), true[asked])
        return near, everything, (among.argmax(1) == 0).float().mean()

    def train_step(self) -> float:
        share = stable_then_decay(self.step, self.steps, WARMUP, decay=0.6, floor=0.02)
        set_rate(self.optimisers, self.rate * share)
        generator = torch.Generator().manual_seed(self.step)
        sizes = {self.shape.rows - self.shape.word_rows: self.text, self.shape.word_rows: self.words}
        parts = [
            self.rows(text, torch.randint(self.last(text), (rows,), generator=generator).tolist())
            for rows, text in sizes.items()
        ]
        seen, true = self.batch(torch.cat(parts), generator)
        near, everything, _ = self.losses(seen, true, generator)
        (near + EVERYTHING * everything).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return float(near.detach())

    @torch.no_grad()
    def held_out(self, batches: int = 12) -> tuple[float, float, float]:
        text = np.fromfile(self.run / "held_out.bin", np.uint16)
        generator = torch.Generator().manual_seed(0)
        starts = np.linspace(0, self.last(text), batches * self.shape.rows).astype(int).tolist()
        taken = [self.batch(rows, generator) for rows in torch.split(self.rows(text, starts), self.shape.rows)]
        results = [[float(x) for x in self.losses(*batch, generator)] for batch in taken]
        near, everything, right = np.mean(results, 0).round(4).tolist()
        return near, everything, right

    def save(self) -> None:
        optimisers = [optimiser.state_dict() for optimiser in self.optimisers]
        part = self.run / "checkpoint.part"
        torch.save({"step": self.step, "network": self.network.state_dict(), "optimisers": optimisers}, part)
        part.replace(self.run / "checkpoint.pt")

    def resume(self) -> None:
        path = self.run / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.step = state["step"]
            self.network.load_state_dict(state["network"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)


def train(trainer: Trainer, every: int = 500) -> None:
    """Trains to the last step, with a line in the log and a checkpoint `every` so many steps."""
    began = time.monotonic()
    recent: list[float] = []
    while trainer.step < trainer.steps:
        recent.append(trainer.train_step())
        if trainer.step % 50 == 0:
            row = {"step": trainer.step, "loss": round(sum(recent) / len(recent), 4)}
            recent.clear()
            if trainer.step % every == 0 or trainer.step == trainer.steps:
                trainer.save()
                row |= dict(zip(("held_out", "everything", "right"), trainer.held_out(), strict=True))
            with (trainer.run / "log.jsonl").open("a") as log:
                log.write(json.dumps({**row, "seconds": round(time.monotonic() - began)}) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with zh/*.jsonl.xz and zh_sharealike/")
    parser.add_argument("--reading", type=Path, required=True, help="folder with NAME.corpus.jsonl.xz, encyclopaedic")
    parser.add_argument("--run", type=Path, required=True, help="checkpoint, numbered text and log")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=2e-3)
    options = parser.parse_args(arguments)
    options.run.mkdir(parents=True, exist_ok=True)
    vocabulary = prepare(options.corpus, options.reading, options.run)
    trainer = Trainer(vocabulary, Shape(), options.run, options.steps, options.rate)
    trainer.resume()
    train(trainer)


if __name__ == "__main__":
    main()
