"""How well an embedding finds held-out passages, beside BM25 over character bigrams.

    python -m models.evaluate_embedding --corpus CORPUS --reading READING --model models/weights/embedding

Three tasks that no training has seen: reading questions and their passages, headings and the text below them, English
sentences and their Chinese. Prints one JSON object.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kb.settings import Settings
from models.corpus import is_held_out, read_corpus, read_rows
from models.embed import Embedder, load_embedder
from models.embedding_sources import READING_HELD_OUT

_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """`queries[i]` is answered by `passages[gold[i]]`."""

    name: str
    queries: list[str]
    passages: list[str]
    gold: list[int]


def reading_task(reading: Path, most: int = 1000) -> Task:
    passages = {row["id"]: row["text"] for row in read_rows(reading / f"{READING_HELD_OUT}.corpus.jsonl.xz")}
    place = {name: number for number, name in enumerate(passages)}
    rows = list(read_rows(reading / f"{READING_HELD_OUT}.qa.jsonl.xz"))
    rows = rows[:: max(1, len(rows) // most)]
    gold = [place[row["context_id"]] for row in rows]
    return Task("reading", [row["question"] for row in rows], list(passages.values()), gold)


def heading_task(corpus: Path, longest: int = 300) -> Task:
    """Headings that occur once, and the first characters of what stands under them."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for document in read_corpus(corpus, ("zh",)):
        if document.held_out and document.collection != "laws":
            parts = _HEADING.split(document.text)
            for heading, body in zip(parts[1::2], parts[2::2], strict=True):
                twice |= {heading} & found.keys()
                if len(body.strip()) > 40:
                    found[heading] = body.strip()[:longest]
    kept = {heading: body for heading, body in found.items() if heading not in twice}
    return Task("headings", list(kept), list(kept.values()), list(range(len(kept))))


def translation_task(corpus: Path) -> Task:
    pairs = {
        row["en"]: row["zh"]
        for row in read_rows(corpus / "parallel" / "python_docs_en_zh.jsonl.xz")
        if is_held_out(row["path"]) and len(row["en"]) > 20
    }
    return Task("translations", list(pairs), list(pairs.values()), list(range(len(pairs))))


def recall(ranks: Sequence[int], k: int) -> float:
    """The share of queries whose passage is among the first `k`; ranks count from 0."""
    return round(float(np.mean([rank < k for rank in ranks])), 4)


def dense_ranks(task: Task, embedder: Embedder) -> list[int]:
    """Where each query's passage stands in the order of cosine similarity, from 0; ties count against it."""
    passages = embedder.embed_passages(task.passages)
    queries = np.stack([embedder.embed_query(query) for query in task.queries])
    return _ranks(queries @ passages.T, task.gold)


def bigram_ranks(task: Task) -> list[int]:
    """The same by BM25 (Lucene's variant, k1 1.5, b 0.75) over character bigrams."""
    import bm25s

    index = bm25s.BM25()
    index.index([_bigrams(passage) for passage in task.passages], show_progress=False)
    known = [[bigram for bigram in _bigrams(query) if bigram and bigram in index.vocab_dict] for query in task.queries]
    nothing = np.zeros(len(task.passages), dtype=np.float32)
    return _ranks(np.stack([index.get_scores(bigrams) if bigrams else nothing for bigrams in known]), task.gold)


def _bigrams(text: str) -> list[str]:
    kept = re.sub(r"\W+", " ", text.lower())
    return [kept[i : i + 2] for i in range(len(kept) - 1) if " " not in kept[i : i + 2]]


def _ranks(scores: NDArray[np.float32], gold: Sequence[int]) -> list[int]:
    right = scores[np.arange(len(gold)), gold]
    ahead: NDArray[np.int64] = (scores >= right[:, None]).sum(axis=1) - 1
    return [int(rank) for rank in ahead]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--model", help="a sentence-transformers folder or hub id; the embedded one by default")
    given = parser.parse_args()
    embedder = load_embedder(Settings(embedding_model=given.model) if given.model else Settings())
    report = {}
    for task in (reading_task(given.reading), heading_task(given.corpus), translation_task(given.corpus)):
        ways = {"embedding": dense_ranks(task, embedder), "bm25_bigrams": bigram_ranks(task)}
        report[task.name] = {"queries": len(task.queries), "passages": len(task.passages)} | {
            name: {f"recall@{k}": recall(ranks, k) for k in (1, 10)} for name, ranks in ways.items()
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
