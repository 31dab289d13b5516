"""Kills an ingest of many documents at random moments, and looks each time whether every document is whole.

    python -m tests.benchmarks.kills --corpus CORPUS [--kills 200] [--out RECORD.json]

Each round an ingest of the next edition of all documents begins, in a new knowledge base or over what the kills before
left, and ends by `kill -9`. Then the store is opened, and SQLite, Chroma and BM25 are compared with what the documents
are when they are read anew.
"""

import argparse
import multiprocessing
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings as ChromaSettings
from numpy.typing import NDArray

from ingest.documents import read_document
from ingest.pipeline import Pipeline
from ingest.read import raw_document
from kb.lexical import LexicalIndex
from kb.records import Passage
from kb.settings import Settings
from kb.store import Store
from models.embed import load_embedder
from tests.benchmarks.corpus_documents import corpus_texts
from tests.benchmarks.provenance import provenance, write_record

FRESH = 0.25  # share of the rounds that begin with nothing
SAMPLE = 20  # passages that are searched for each time

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["chromadb", "ingest.pipeline", "kb.store", "models.embed"])


@dataclass(frozen=True)
class Expected:
    """What an edition of a document is when it is whole."""

    text: str
    passages: list[Passage]
    vectors: NDArray[np.float32]


@dataclass
class Folder:
    """Documents on disk, each with a word of its own in it, and what becomes of each edition."""

    path: Path
    bodies: Mapping[str, str]  # by word
    settings: Settings
    known: dict[tuple[str, int], Expected] = field(default_factory=dict)

    def text(self, word: str, edition: int) -> str:
        return f"# {word} 第 {edition} 版\n\n{self.bodies[word]}\n\n## {word} 之末\n\n到此为第 {edition} 版。\n"

    def write(self, edition: int) -> None:
        for word in self.bodies:
            (self.path / f"{word}.md").write_text(self.text(word, edition), encoding="utf-8")

    def expected(self, word: str, edition: int) -> Expected:
        if (word, edition) not in self.known:
            read = read_document(raw_document(f"{word}.md", self.text(word, edition).encode()))
            vectors = self.embedder.embed_passages([passage.indexed for passage in read.passages])
            self.known[word, edition] = Expected(read.document.text, list(read.passages), vectors)
        return self.known[word, edition]

    @cached_property
    def embedder(self) -> Any:
        return load_embedder(self.settings)


def words(count: int) -> list[str]:
    """Words that no text has, and that are found by nothing but themselves."""
    return ["zq" + "".join(letters) for letters in product("bcdfghjkm", repeat=4)][:count]


def ingest(settings: Settings, folder: Path) -> None:
    store = Store.open(settings)
    for _ in Pipeline(store, lambda: load_embedder(settings), settings).ingest([folder]):
        pass


def ingest_and_kill(settings: Settings, folder: Path, after: float) -> None:
    process = PROCESSES.Process(target=ingest, args=(settings, folder))
    process.start()
    process.join(after)
    process.kill()
    process.join()


def check(folder: Folder, before: Mapping[str, int], edition: int, drawn: random.Random) -> dict[str, int]:
    """The edition that each document is of now; `before` has those of the documents that must not be lost.

    Raises:
        ValueError: something is not as it should be.
    """
    settings = folder.settings
    with closing(Store.open(settings)) as store:
        passages = store.passages()
        now: dict[str, int] = {}
        for info in store.documents():
            word = info.name.removesuffix(".md")
            editions = {before.get(word, edition), edition}
            text = store.document(info.id).text
            _require(word not in now, f"{info.name} is there twice")
            (now[word],) = (each for each in editions if folder.expected(word, each).text == text)
        _require(before.keys() <= now.keys(), "a document is lost")
        whole = [folder.expected(word, now[word]) for word in sorted(now)]
        _require(passages == [passage for each in whole for passage in each.passages], "passages differ")
        vectors = np.concatenate([each.vectors for each in whole]) if whole else np.zeros((0, 1), np.float32)
        stored = _vectors_of(settings)
        _require(stored.shape == vectors.shape and np.allclose(stored, vectors, atol=1e-5), "Chroma has other vectors")
        lexical = LexicalIndex.open(store, settings)
        _require(list(lexical.passages) == passages, "the word index has other passages")
        for number in drawn.sample(range(len(passages)), min(SAMPLE, len(passages))):
            (nearest, score) = store.nearest(vectors[number], 1)[0]
            alike = np.flatnonzero(vectors @ vectors[number] > 0.9999)  # words of the same parts have the same vector
            texts = {passages[other].indexed for other in alike}
            _require(score > 0.9999 and nearest.indexed in texts, "a passage is not found")
        for word in drawn.sample(sorted(now), min(SAMPLE, len(now))):
            found = {passage.id for passage, _ in lexical.search(word, len(passages))}
            having = {each.id for each in folder.expected(word, now[word]).passages}  # whose document's name it is
            _require(found == having != set(), f"{word} is not found")
    return now


def _vectors_of(settings: Settings) -> NDArray[np.float32]:
    """All vectors in the one folder of Chroma, by document and passage; read without the store."""
    folders = list((settings.home / "chroma").glob("*"))
    if not folders:
        return np.zeros((0, 1), np.float32)
    (folder,) = folders
    client: Any = chromadb.PersistentClient(str(folder), settings=ChromaSettings(anonymized_telemetry=False))
    with closing(client):
        found = client.get_collection("passages", embedding_function=None).get(include=["embeddings", "metadatas"])
    numbers = [int(name.split("/")[1]) for name in found["ids"]]
    places = [(each["source"], number) for each, number in zip(found["metadatas"], numbers, strict=True)]
    order = sorted(range(len(places)), key=places.__getitem__)
    return np.asarray(found["embeddings"], np.float32)[order] if order else np.zeros((0, 1), np.float32)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--chars", type=int, default=1200, help="of each document")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    drawn = random.Random(options.seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as there:
        settings = Settings(home=Path(there, "home"))
        (path := Path(there, "documents")).mkdir()
        texts = corpus_texts(options.corpus, options.chars)[: options.documents]
        folder = Folder(path, dict(zip(words(options.documents), texts, strict=True)), settings)
        rounds = kill_again_and_again(folder, options.kills, drawn)
    given = {name: getattr(options, name) for name in ("kills", "documents", "chars", "seed")}
    record = {**provenance("chromadb", "bm25s", "numpy"), **given, **rounds}
    print(record)
    if options.out:
        write_record(options.out, record)


def kill_again_and_again(folder: Folder, kills: int, drawn: random.Random) -> dict[str, Any]:
    """Counts of the rounds by what the killed ingest had done; any document that is not whole ends it."""
    folder.write(0)
    ingest_and_kill(folder.settings, folder.path, 0)  # starts the process that all others are forked from
    began = time.perf_counter()
    ingest_and_kill(folder.settings, folder.path, 3600)  # a whole one, to know how long it takes
    seconds = time.perf_counter() - began
    state = check(folder, {}, 0, drawn)
    _require(len(state) == len(folder.bodies), "the first ingest is not whole")
    done: Counter[str] = Counter()
    reach = seconds
    for edition in range(1, kills + 1):
        if drawn.random() < FRESH:
            while folder.settings.home.exists():
                with suppress(FileNotFoundError):  # SQLite, closing what was checked, has just removed its log
                    shutil.rmtree(folder.settings.home)
            state = {}
        folder.write(edition)
        ingest_and_kill(folder.settings, folder.path, drawn.uniform(0, reach))
        state = check(folder, state, edition, drawn)
        new = sum(each == edition for each in state.values())
        stored = "none of the documents" if not new else "all" if new == len(folder.bodies) else "some"
        done[stored] += 1
        reach *= {"none of the documents": 1.1, "some": 1, "all": 0.8}[stored]  # as the machine gets busy, or idle
        print(edition, new, len(state), flush=True)
    ingest_and_kill(folder.settings, folder.path, 3600)
    state = check(folder, state, kills, drawn)
    _require(set(state.values()) == {kills} and len(state) == len(folder.bodies), "the last ingest is not whole")
    return {
        "seconds of a whole ingest": round(seconds, 2),
        "stored when killed": dict(done),
        "not whole, lost or twice": 0,
    }


if __name__ == "__main__":
    main()
