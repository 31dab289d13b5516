"""Trains the embedded default embedding: a table of piece vectors, for Chinese and English.

    python -m models.train_embedding --corpus CORPUS --reading READING --run RUN --out models/weights/embedding

Pieces, a first table from co-occurrence, then contrastive steps. What is made on the way is kept in `RUN` and found
again, so that a stopped run goes on where it was.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.corpus import CorpusDocument, is_held_out, read_rows
from models.embedding_init import initial_table, rarity
from models.embedding_pairs import Ids, Pair, PairCutter, read_sections
from models.embedding_pieces import train_pieces
from models.embedding_sources import (
    READING,
    WEIGHTS,
    Documents,
    Glosses,
    Questions,
    Source,
    Translations,
    read_glosses,
    read_readings,
    read_translations,
    training_documents,
)
from models.schedules import cosine, set_rate


@dataclass(frozen=True)
class EmbeddingConfig:
    """`sizes` are the lengths to which vectors may be cut (Matryoshka: Kusupati et al. 2022), longest first."""

    pieces: int = 28_000
    sizes: tuple[int, ...] = (256, 128, 64)
    size_weights: tuple[float, ...] = (1.0, 0.3, 0.1)
    steps: int = 2000
    batch: int = 1024
    learning_rate: float = 4e-3
    warmup: int = 100
    scale: float = 25.0
    dropped: float = 0.15
    shares: tuple[float, float, float, float] = (0.66, 0.19, 0.10, 0.05)
    seed: int = 17


def train_tokenizer(corpus: Sequence[CorpusDocument], reading: Path, config: EmbeddingConfig) -> Tokenizer:
    """Pieces learned from the subject's text most: collections count as they do in training, at most once."""
    chosen = np.random.default_rng(config.seed)

    def texts() -> Iterator[str]:
        for document in corpus:
            if chosen.random() < WEIGHTS.get(document.collection, 1):
                yield document.text
        for name in READING:
            for row in read_rows(reading / f"{name}.corpus.jsonl.xz"):
                if not is_held_out(row["id"]):
                    yield row["text"]

    return train_pieces(texts(), config.pieces)


def prepare(
    corpus: Path, reading: Path, run: Path, config: EmbeddingConfig
) -> tuple[Tokenizer, NDArray[np.float32], PairCutter, list[Source]]:
    """Tokenizer, first table [pieces, dimension], and the sources of pairs with what cuts them."""
    documents = training_documents(corpus)
    saved = run / "tokenizer.json"
    if not saved.exists():
        train_tokenizer(documents, reading, config).save(str(saved))
    tokenizer = Tokenizer.from_file(str(saved))
    translations = read_translations(corpus, documents, tokenizer)
    readings = read_readings(reading, READING, tokenizer)
    sections = [(document.collection, read_sections(document.text, tokenizer)) for document in documents]
    sections = [(name, found) for name, found in sections if sum(len(section.lines) for section in found) > 1]
    lines = [line for _, found in sections for section in found for line in (section.heading, *section.lines)]
    lines += [sentence for passage in readings for sentence in passage.sentences]
    cutter = PairCutter(tokenizer, rarity(lines, config.pieces), np.random.default_rng(config.seed))
    sources: list[Source] = [
        Documents(sections, cutter),
        Translations(translations, cutter),
        Questions(readings, cutter),
        Glosses(read_glosses(documents, tokenizer), cutter),
    ]
    translated = [pair for one in translations for pair in zip(one.english, one.chinese, strict=True)]
    return tokenizer, first_table(lines, translated, run, config), cutter, sources


def first_table(
    lines: Sequence[Ids], translations: Sequence[Pair], run: Path, config: EmbeddingConfig
) -> NDArray[np.float32]:
    saved = run / "first_table.npy"
    if not saved.exists():
        np.save(
            saved, initial_table(lines, translations, pieces=config.pieces, dimension=config.sizes[0], seed=config.seed)
        )
    table: NDArray[np.float32] = np.load(saved)
    return table


class ContrastiveTrainer:
    """A run folder's table, its optimiser and how far it is."""

    def __init__(
        self,
        table: NDArray[np.float32],
        cutter: PairCutter,
        sources: Sequence[Source],
        config: EmbeddingConfig,
        run: Path,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.cutter, self.sources, self.run, self.step = config, cutter, sources, run, 0
        self.bag = torch.nn.EmbeddingBag.from_pretrained(torch.from_numpy(table), freeze=False, mode="sum")
        self.optimiser = torch.optim.Adam(self.bag.parameters(), lr=config.learning_rate, betas=(0.9, 0.98))

    def train(self) -> None:
        losses, began = list[float](), time.monotonic()
        while self.step < self.config.steps:
            losses.append(self.train_step())
            if self.step % 100 == 0:
                self.log(loss=round(sum(losses) / len(losses), 4), seconds=round(time.monotonic() - began, 1))
                losses.clear()
            if self.step % 500 == 0:
                self.save()
        self.save()

    def train_step(self) -> float:
        """One update; the rate rises over the warm-up and then falls as a cosine to zero."""
        share = cosine(self.step, self.config.steps, self.config.warmup)
        set_rate([self.optimiser], self.config.learning_rate * share)
        shares = zip(self.sources, self.config.shares, strict=True)
        loss = self.loss([pair for source, share in shares for pair in source.draw(round(share * self.config.batch))])
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return float(loss.detach())

    def loss(self, pairs: Sequence[Pair]) -> torch.Tensor:
        """InfoNCE in both directions (van den Oord et al. 2018), the weighted mean over all Matryoshka sizes."""
        queries, passages = (self.embed([pair[side] for pair in pairs]) for side in (0, 1))
        target = torch.arange(len(pairs))
        total = torch.zeros(())
        for size, weight in zip(self.config.sizes, self.config.size_weights, strict=True):
            first, second = (torch.nn.functional.normalize(side[:, :size], dim=1) for side in (queries, passages))
            scores = first @ second.T * self.config.scale
            total = total + weight * sum(torch.nn.functional.cross_entropy(s, target) for s in (scores, scores.T)) / 2
        return total / sum(self.config.size_weights)

    def embed(self, texts: Sequence[Ids]) -> torch.Tensor:
        """Vectors [texts, dimension]; a share of the pieces is dropped, so that no single one decides."""
        lengths = torch.tensor([len(ids) for ids in texts])
        flat = torch.from_numpy(np.concatenate(texts).astype(np.int64))
        kept = (torch.rand(len(flat)) >= self.config.dropped).float()
        vectors: torch.Tensor = self.bag(flat, torch.cumsum(lengths, 0) - lengths, per_sample_weights=kept)
        return vectors

    def save(self) -> None:
        state = {"step": self.step, "bag": self.bag.state_dict(), "optimiser": self.optimiser.state_dict()}
        part = self.run / "checkpoint.part"
        torch.save(state, part)
        part.replace(self.run / "checkpoint.pt")

    def resume(self) -> None:
        """Goes on from the run's checkpoint when there is one, with other pairs than the run began with."""
        path = self.run / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.step = state["step"]
            self.bag.load_state_dict(state["bag"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.cutter.rng = np.random.default_rng((self.config.seed, self.step))

    def log(self, **row: float) -> None:
        with (self.run / "log.jsonl").open("a") as log:
            log.write(json.dumps({"step": self.step, **row}) + "\n")


def export(table: torch.Tensor, tokenizer: Tokenizer, out: Path) -> None:
    """Writes an ordinary sentence-transformers folder in float16; its README.md, if there is one, stays."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    modules: list[torch.nn.Module] = [StaticEmbedding(tokenizer, embedding_weights=table.detach().half()), Normalize()]
    SentenceTransformer(modules=modules).save(str(out), create_model_card=False)
    (out / "model.safetensors").chmod(0o644)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="what is made on the way; found again to resume")
    parser.add_argument("--steps", type=int, default=EmbeddingConfig.steps)
    parser.add_argument("--out", type=Path, help="write the model here")
    given = parser.parse_args()
    config = EmbeddingConfig(steps=given.steps)
    given.run.mkdir(parents=True, exist_ok=True)
    (given.run / "config.json").write_text(json.dumps(asdict(config), indent=1) + "\n", encoding="utf-8")
    tokenizer, table, cutter, sources = prepare(given.corpus, given.reading, given.run, config)
    trainer = ContrastiveTrainer(table, cutter, sources, config, given.run)
    trainer.resume()
    trainer.train()
    if given.out:
        export(trainer.bag.weight, tokenizer, given.out)


if __name__ == "__main__":
    main()
