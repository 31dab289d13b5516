"""How long a hybrid search takes beside a bare Chroma query and a bare bm25s query, and how that grows.

    python -m tests.benchmarks.search_speed --corpus CORPUS [--out RECORD.json] [--plot PLOT.svg]

A search is what `guide serve` does for a question: embed it, search vectors and words, join, and say how likely there
is an answer. The bare queries get the question's vector and terms ready, over the same vectors and terms. Each question
goes to all in turn, each time beginning with another, so that whatever else the machine does is shared, and so is what
one leaves in the processor's caches for the next. Milliseconds are by the clock, those of `cpu` what the process
computed. Needs the extra `bench` for the plot.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import bm25s
import chromadb
import numpy as np
from chromadb.config import Settings as ChromaSettings

from api.services import Services
from kb.records import Document, Passage
from kb.settings import load_settings
from kb.store import Change
from kb.terms import terms
from models.lines import line_vectors
from tests.benchmarks.corpus_documents import corpus_texts, split_documents
from tests.benchmarks.provenance import provenance, write_record

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
TOP = 10
WARM_UP = 20


@dataclass
class Benchmark:
    """A knowledge base that grows, and a bare Chroma collection with the same vectors."""

    services: Services
    documents: Iterator[tuple[Document, list[Passage]]]
    bare: Any
    passages: int = 0

    def grow(self, size: int) -> None:
        """Adds documents until there are `size` passages."""
        group: list[tuple[Document, list[Passage]]] = []
        while self.passages < size:
            group.append(next(self.documents))
            self.passages += len(group[-1][1])
            if len(group) == 128 or self.passages >= size:
                self._store(group)
                group = []

    def _store(self, group: Sequence[tuple[Document, list[Passage]]]) -> None:
        embedder = self.services.embedder
        changes = [
            Change(
                document,
                passages,
                embedder.embed_passages([passage.indexed for passage in passages]),
                "1",
                lines=line_vectors(passages, embedder),
            )
            for document, passages in group
        ]
        self.services.store.replace_all(changes, embedder.fingerprint)
        ids = [passage.id for change in changes for passage in change.passages]
        vectors = np.concatenate([change.vectors for change in changes])
        for start in range(0, len(ids), 5000):
            self.bare.upsert(ids=ids[start : start + 5000], embeddings=vectors[start : start + 5000])

    def measure(self, questions: Sequence[str]) -> dict[str, Any]:
        """Medians and 95th percentiles in milliseconds of each kind of query."""
        bare_words = bm25s.BM25.load(next((self.services.settings.home / "lexical").iterdir()), show_progress=False)
        times: dict[str, list[tuple[float, float]]] = {}
        for number, question in enumerate(questions):
            vector, asked = self.services.embedder.embed_query(question), terms(question)
            ways: list[tuple[str, Callable[[], Any]]] = [("search", partial(self.services.search, question, TOP))]
            for k in (TOP, 50):
                ways.append((f"chroma {k}", partial(self.bare.query, query_embeddings=[vector], n_results=k)))
                ways.append((f"bm25s {k}", partial(bare_words.retrieve, [asked], k=k, show_progress=False)))
            first = number % len(ways)  # whoever comes first finds the question's data in no cache
            for name, way in ways[first:] + ways[:first]:
                found = _timed(times, name, way)
                for part, spent in found.timings_ms.items() if name == "search" else ():
                    times.setdefault(f"search: {part}", []).append((spent, 0.0))
        result: dict[str, Any] = {name: _percentiles(spent[WARM_UP:]) for name, spent in times.items()}
        for k in (TOP, 50):
            for measure in ("p50", "cpu p50"):
                bare = result[f"chroma {k}"][measure] + result[f"bm25s {k}"][measure]
                result[f"ratio of {measure} to bare {k}"] = round(result["search"][measure] / bare, 2)
        return result


def _timed(times: dict[str, list[tuple[float, float]]], name: str, work: Callable[[], Any]) -> Any:
    began, computed = time.perf_counter(), time.process_time()
    result = work()
    spent = (1000 * (time.perf_counter() - began), 1000 * (time.process_time() - computed))
    times.setdefault(name, []).append(spent)
    return result


def _percentiles(spent: Sequence[tuple[float, float]]) -> dict[str, float]:
    clock, computed = zip(*spent, strict=True)
    found = {"p50": median(clock), "p95": quantiles(clock, n=20)[-1], "cpu p50": median(computed)}
    return {name: round(each, 3) for name, each in found.items() if each}


def questions_from(passages: Sequence[Passage], count: int, drawn: random.Random) -> list[str]:
    """Stretches of 10 to 30 characters of what there is."""
    long = [passage.text for passage in passages if len(passage.text) > 60]
    questions = []
    for text in drawn.choices(long, k=count):
        start = drawn.randrange(len(text) - 30)
        questions.append(" ".join(text[start : start + drawn.randrange(10, 30)].split()) or "什么")
    return questions


def plot(sizes: dict[str, Any], file: Path) -> None:
    """Medians over the number of passages, both axes logarithmic."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "guide"
    counts = list(map(int, sizes))
    bare = [each[f"chroma {TOP}"]["p50"] + each[f"bm25s {TOP}"]["p50"] for each in sizes.values()]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.loglog(counts, [each["search"]["p50"] for each in sizes.values()], "o-", label="guide: hybrid search")
    axes.loglog(counts, bare, "s-", label="bare Chroma query + bare bm25s query")
    axes.loglog(counts, [2 * each for each in bare], ":", color="grey", label="twice that")
    axes.set(xlabel="passages", ylabel="median milliseconds", title="A search as the knowledge base grows")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--questions", type=int, default=220)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    parser.add_argument("--plot", type=Path, help="draw the growth here")
    options = parser.parse_args()
    sizes: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(folder, settings=ChromaSettings(anonymized_telemetry=False))
        configuration: Any = {"hnsw": {"space": "cosine"}}
        bare = client.get_or_create_collection("bare", configuration=configuration, embedding_function=None)
        with Services(load_settings(home=Path(home))) as services:
            benchmark = Benchmark(services, split_documents(corpus_texts(options.corpus)), bare)
            for size in options.sizes:
                benchmark.grow(size)
                began = time.perf_counter()
                services.search("什么", 1)  # makes the word index
                opened = time.perf_counter() - began
                passages = services.store.passages()
                questions = questions_from(passages, options.questions, random.Random(size))
                sizes[str(len(passages))] = {**benchmark.measure(questions), "seconds to open": round(opened, 2)}
                print(len(passages), sizes[str(len(passages))], flush=True)
    record = {
        **provenance("chromadb", "bm25s", "numpy", "tokenizers"),
        "questions": options.questions,
        "passages": sizes,
    }
    if options.out:
        write_record(options.out, record)
    if options.plot:
        plot(sizes, options.plot)


if __name__ == "__main__":
    main()
