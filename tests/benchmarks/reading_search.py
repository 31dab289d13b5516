"""How well the whole search finds the passages of a Chinese reading set held out of training, beside BM25 over bigrams.

    python -m tests.benchmarks.reading_search --reading READING [--out RECORD.json]

Two knowledge bases are made of the set: one of its passages, and one of the single sentences of them. A question's
passage is the one it was asked over, its sentence the only one there that has the answer in it. Questions and sentences
are told apart by how much they share: the part of the question's character bigrams that is in the sentence.
"""

import argparse
import re
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from api.services import Services
from kb.settings import load_settings
from models.corpus import read_rows
from models.embedding_sources import READING_HELD_OUT
from tests.benchmarks.provenance import provenance, write_record

TOP = 10
SHARES = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 1.01))
SENTENCE = re.compile(r"[^。！？；]+[。！？；]?")

Find = Callable[[str], Sequence[int]]


def bigrams(text: str) -> list[str]:
    return ["".join(pair) for pair in pairwise(text)]


def by_bigrams(texts: Sequence[str]) -> Find:
    """Lucene's variant of BM25, k1 1.5, b 0.75."""
    index = bm25s.BM25()
    index.index([bigrams(text) for text in texts], show_progress=False)

    def find(question: str) -> Sequence[int]:
        found, _ = index.retrieve([bigrams(question)], k=TOP, show_progress=False)
        return [int(place) for place in found[0]]

    return find


def by_search(services: Services, texts: Sequence[str], folder: Path) -> Find:
    """Each text is a document; the same one twice counts once."""
    folder.mkdir()
    for place, text in enumerate(texts):
        folder.joinpath(f"{place:06}.md").write_text(f"{text}\n", encoding="utf-8")
    for _ in services.pipeline.ingest([folder]):
        pass

    def find(question: str) -> Sequence[int]:
        return [int(Path(hit.passage.source).stem) for hit in services.search(question, TOP).hits]

    return find


def recall(find: Find, asked: Sequence[tuple[str, int]]) -> dict[str, float]:
    found = [(list(find(question)), right) for question, right in asked]
    return {f"recall@{k}": round(float(np.mean([right in places[:k] for places, right in found])), 4) for k in (1, TOP)}


def both_ways(texts: Sequence[str], groups: dict[str, list[tuple[str, int]]]) -> dict[str, Any]:
    """How each group of questions fares, each with the place of its text."""
    bigrams_find = by_bigrams(texts)
    with tempfile.TemporaryDirectory() as folder, Services(load_settings(home=Path(folder, "home"))) as services:
        search = by_search(services, texts, Path(folder, "texts"))
        return {
            name: {"questions": len(asked), "search": recall(search, asked), "bigrams": recall(bigrams_find, asked)}
            for name, asked in groups.items()
        }


def by_share(
    questions: Sequence[dict[str, Any]], texts: dict[str, str], sentences: Sequence[str]
) -> dict[str, list[tuple[str, int]]]:
    place = {sentence: number for number, sentence in enumerate(sentences)}
    groups: dict[str, list[tuple[str, int]]] = {f"{low:.0%} to {min(high, 1):.0%}": [] for low, high in SHARES}
    for row in questions:
        here = SENTENCE.findall(texts[row["context_id"]])
        right = [sentence for sentence in here if any(answer in sentence for answer in row["answers"])]
        if len(right) == 1:
            asked = set(bigrams(row["question"]))
            share = sum(bigram in right[0] for bigram in asked) / len(asked)
            group = next(number for number, (low, high) in enumerate(SHARES) if low <= share < high)
            list(groups.values())[group].append((row["question"], place[right[0]]))
    return groups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    rows = list(read_rows(options.reading / f"{READING_HELD_OUT}.corpus.jsonl.xz"))
    questions = list(read_rows(options.reading / f"{READING_HELD_OUT}.qa.jsonl.xz"))
    texts = {row["id"]: row["text"] for row in rows}
    sentences = list(dict.fromkeys(sentence for text in texts.values() for sentence in SENTENCE.findall(text)))
    place = {row["id"]: number for number, row in enumerate(rows)}
    asked = [(row["question"], place[row["context_id"]]) for row in questions]
    record = {
        "set": READING_HELD_OUT,
        "passages": both_ways([f"# {row['title']}\n\n{row['text']}" for row in rows], {"all": asked}),
        "sentences": both_ways(sentences, by_share(questions, texts, sentences)),
        **provenance("bm25s", "chromadb"),
    }
    if options.out:
        write_record(options.out, record)
    print(record)


if __name__ == "__main__":
    main()
