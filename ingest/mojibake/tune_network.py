"""Teaches the trained network what n-grams leave in doubt.

    python -m ingest.mojibake.tune_network --corpus CORPUS --reading READING --run RUN

The n-grams know their own training text too well to be in doubt about it. So they are estimated anew on either half of
the documents, and the other half is damaged and decoded with them. The places that stay in doubt, with the posteriors
that the decoder gives, are what the network learns from: it is asked for what is missing there, not for what the
n-grams know already. `RUN` is the folder of `ingest.mojibake.train_network`.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional

from ingest.mojibake.decode import decode
from ingest.mojibake.kinds import DOUBLE_BYTE, SOFT_HYPHEN, encoding
from ingest.mojibake.language import LanguageModel, Scorer
from ingest.mojibake.lattice import Choice, Misreading, lattice
from ingest.mojibake.lexicon import word_counts
from ingest.mojibake.network import AROUND, DATA, FAR, HIDDEN, UNKNOWN, Network
from ingest.mojibake.reconsider import number, view
from ingest.mojibake.symbols import NEWLINE, symbols
from ingest.mojibake.train import train as train_language_model
from ingest.mojibake.train_network import Shape, TrainedNetwork, prepare, training_texts

SHARES = {"laws": 0.15, "dotnet-docs-zh": 0.3, "sql-docs-zh": 0.3}  # of documents; else all
PAGES = ("cp1254", "cp1254", "cp1252", "gbk")
LONGEST = 4_000  # characters of a document
CHARACTERS = 7_000_000  # of each half
IN_DOUBT = 0.997
CANDIDATES = 16
EPOCHS, ROWS, RATE, DECAY, DROPOUT = 3, 1024, 4e-4, 0.05, 0.1
NEVER = -99.0  # log-posterior of what is no candidate


@dataclass(frozen=True)
class Doubts:
    """Doubtful places: the symbols `seen` there [places, FAR + 1 + FAR], the numbers of the `candidates` [places, 16],
    their log-posteriors, and which of them is right [places].
    """

    seen: Tensor
    candidates: Tensor
    posteriors: Tensor
    right: Tensor


def joined(parts: Sequence[Doubts]) -> Doubts:
    names = ("seen", "candidates", "posteriors", "right")
    return Doubts(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def half_of(text: str) -> int:
    """Which half of the documents this one is in, 0 or 1."""
    return hashlib.sha256(text[:200].encode()).digest()[0] % 2


def half_model(texts: Sequence[tuple[str, str]], half: int, fields: Path, run: Path) -> LanguageModel:
    """A language model of one half of the texts (collection, text), made once and found again."""
    out = run / f"half{half}.npz"
    if not out.exists():
        text = "".join(symbols(text) + NEWLINE for _, text in texts if half_of(text) == half)
        train_language_model(text, word_counts(text, fields), out)
    return LanguageModel.load(out)


def damaged(text: str, page: str) -> tuple[str, Misreading]:
    """UTF-8 read as `page` with what that has no character for dropped, and what is known of it."""
    if page in DOUBLE_BYTE:
        return text.encode().decode(page, errors="ignore"), Misreading(
            encoding(page), frozenset(range(0x80, 0xC0)), True
        )
    holes = encoding(page).holes | {SOFT_HYPHEN}
    return text.encode().decode(page, errors="ignore").replace("\u00ad", ""), Misreading(encoding(page), holes, True)


def doubts(texts: Sequence[tuple[str, str]], model: Scorer, network: Network) -> Doubts:
    """The doubtful places of texts (collection, text), each damaged in one way, up to `CHARACTERS` of them."""
    chosen = random.Random(0)
    order = [text for name, text in texts if chosen.random() < SHARES.get(name, 1.0)]
    chosen.shuffle(order)
    rows: list[tuple[NDArray[np.int64], list[int], list[float], int]] = []
    size = 0
    for text in order:
        rows += _doubtful(text[:LONGEST].replace("\u00ad", ""), chosen.choice(PAGES), model, network)
        size += min(len(text), LONGEST)
        if size > CHARACTERS:
            break
    candidates = np.full((len(rows), CANDIDATES), UNKNOWN)
    posteriors = np.full((len(rows), CANDIDATES), NEVER, np.float32)
    for n, (_, numbers, logs, _) in enumerate(rows):
        candidates[n, : len(numbers)] = numbers
        posteriors[n, : len(logs)] = logs
    seen = np.stack([row[0] for row in rows])
    right = np.array([row[3] for row in rows])
    return Doubts(*(torch.from_numpy(array) for array in (seen, candidates, posteriors, right)))


def _doubtful(
    text: str, page: str, model: Scorer, network: Network
) -> Iterator[tuple[NDArray[np.int64], list[int], list[float], int]]:
    hurt, misreading = damaged(text, page)
    decided = list(decode(lattice(hurt, 0, len(hurt), misreading), model))
    if len("".join(piece.text for piece in decided)) != len(text):
        return
    hidden = frozenset(n for n, p in enumerate(decided) if isinstance(p, Choice) and p.confidence < IN_DOUBT)
    seen, places = view(decided, hidden, network)
    padded = np.pad(seen, FAR, constant_values=HIDDEN)
    at = 0
    waiting = iter(places)
    for n, piece in enumerate(decided):
        if n in hidden:
            place = next(waiting)
            assert isinstance(piece, Choice)
            ranked = piece.ranked[:CANDIDATES]
            readings = [character for character, _ in ranked]
            if len(ranked) > 1 and text[at] in readings:
                numbers = [number(reading, network) for reading in readings]
                logs = np.log(np.maximum([p for _, p in ranked], 1e-12)).tolist()
                yield padded[place : place + 2 * FAR + 1], numbers, logs, readings.index(text[at])
        at += len(piece.text)


class Judge(nn.Module):
    """Posteriors of the decoder and scores of the network, each to some power; unknown candidates score alike."""

    def __init__(self, network: TrainedNetwork) -> None:
        super().__init__()
        self.network = network
        self.decoder, self.weight, self.unknown = (nn.Parameter(torch.tensor(value)) for value in (0.9, 0.3, 0.0))

    def forward(self, seen: Tensor, candidates: Tensor, posteriors: Tensor) -> Tensor:
        """Logits [places, candidates]."""
        network = self.network
        embedded = network.embedding(seen)
        far = (embedded.sum(1) - embedded[:, FAR]) / (2 * FAR)
        near = torch.cat([embedded[:, FAR - AROUND : FAR], embedded[:, FAR + 1 : FAR + 1 + AROUND]], 1).flatten(1)
        hidden = functional.dropout(functional.relu(network.near(near) + network.far(far)), DROPOUT, self.training)
        for block in network.blocks:
            hidden = block(hidden)
        query = network.query(network.norm(functional.dropout(hidden, DROPOUT, self.training)))
        table, bias = network.symbol.weight[candidates], network.symbol.bias[candidates]
        scores = (table.float() * query.float().unsqueeze(1)).sum(-1) + bias
        scores = torch.where(candidates == UNKNOWN, self.unknown, scores)
        return (self.decoder * posteriors + self.weight * scores).masked_fill(posteriors == NEVER, -1e9)

    def loss(self, doubts: Doubts, places: Tensor) -> Tensor:
        """Nats at each of the places."""
        with torch.autocast("cpu", torch.bfloat16):
            logits = self(doubts.seen[places], doubts.candidates[places], doubts.posteriors[places])
        return functional.cross_entropy(logits.float(), doubts.right[places], reduction="none")


def tune(judge: Judge, doubts: Doubts, log: Path) -> None:
    """Trains on nine tenths of the places; the loss on the last tenth goes to the log."""
    torch.manual_seed(0)
    order = torch.randperm(len(doubts.right))
    kept, taught = order[: len(order) // 10], order[len(order) // 10 :]
    optimiser = torch.optim.AdamW(judge.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    steps = EPOCHS * (len(taught) // ROWS)
    step = 0
    for epoch in range(EPOCHS):
        judge.train()
        for places in torch.split(taught[torch.randperm(len(taught))], ROWS)[: len(taught) // ROWS]:
            for group in optimiser.param_groups:
                group["lr"] = RATE * min(1.0, (step + 1) / 50) * (1 - step / steps)
            judge.loss(doubts, places).mean().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            step += 1
        judge.eval()
        with torch.no_grad():
            losses = torch.cat([judge.loss(doubts, places) for places in torch.split(kept, ROWS)])
        with log.open("a") as lines:
            lines.write(
                json.dumps({"epoch": epoch, "doubts": len(order), "kept": round(float(losses.mean()), 4)}) + "\n"
            )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with zh/*.jsonl.xz and zh_sharealike/")
    parser.add_argument("--reading", type=Path, required=True, help="folder with NAME.corpus.jsonl.xz, encyclopaedic")
    parser.add_argument("--run", type=Path, required=True, help="the run that trained the network")
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args(arguments)
    vocabulary = prepare(options.corpus, options.reading, options.run)
    texts = list(training_texts(options.corpus, options.reading, held_out=False))
    trained = TrainedNetwork(len(vocabulary), Shape())
    trained.load_state_dict(torch.load(options.run / "checkpoint.pt", weights_only=True)["network"])
    numbers = Network({}, {symbol: n for n, symbol in enumerate(vocabulary)})
    found = []
    for half in (0, 1):
        model = half_model(texts, half, options.corpus / "words", options.run)
        found.append(doubts([(name, text) for name, text in texts if half_of(text) != half], model, numbers))
    judge = Judge(trained)
    tune(judge, joined(found), options.run / "log.jsonl")
    weights = {name: value.numpy().astype(np.float16) for name, value in trained.state_dict().items()}
    unknown = np.array([judge.unknown.item()], np.float32)
    save_file({**weights, "unknown": unknown, "vocabulary": np.frombuffer(vocabulary.encode(), np.uint8)}, options.out)
    Network.load(options.out)


if __name__ == "__main__":
    main()
