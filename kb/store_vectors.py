"""Vector search by Chroma. It holds nothing that the database has not: what is damaged here is made anew from there."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from kb.errors import StoreError
from kb.records import Passage

COSINE: Any = {"hnsw": {"space": "cosine", "ef_search": 200}}
_spellings = count()

P = ParamSpec("P")
T = TypeVar("T")
Vectors = NDArray[np.float32]


class VectorsError(StoreError):
    """Chroma failed; opening it anew, or making its vectors anew, may help."""


def in_our_terms(method: Callable[P, T]) -> Callable[P, T]:
    """A method whose failures in Chroma are VectorsErrors."""

    @wraps(method)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        from chromadb.errors import ChromaError

        try:
            return method(*args, **kwargs)
        except (ChromaError, sqlite3.Error, OSError, ValueError, RuntimeError) as problem:
            first_line = (str(problem) or type(problem).__name__).splitlines()[0]
            raise VectorsError(
                f"Chroma can't keep or search the vectors ({first_line}). See whether GUIDE_HOME is full or closed."
            ) from problem

    return translated


class VectorIndex:
    """One opened Chroma folder. A process doesn't see the vectors that others write after it opened the folder."""

    def __init__(self, folder: Path) -> None:
        self._open(folder)

    @in_our_terms
    def _open(self, folder: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        # Chroma shares one client, stale vectors included, among all who spell a folder alike.
        spelling = f"{folder}/{'./' * (next(_spellings) % 256)}"
        self._client: Any = chromadb.PersistentClient(spelling, settings=Settings(anonymized_telemetry=False))
        self._batch = self._client.get_max_batch_size()
        self._passages: Any = self._client.get_or_create_collection(
            "passages", configuration=COSINE, embedding_function=None
        )
        space = self._passages.configuration_json["hnsw"]["space"]
        if space != "cosine":
            raise VectorsError(f"{folder}: Chroma's collection measures by {space}, and cosine is needed.")

    def close(self) -> None:
        self._client.close()

    @in_our_terms
    def put(self, generations: Mapping[str, tuple[Sequence[Passage], Vectors]]) -> None:
        """Adds the passages of each generation with their vectors [passages, d]."""
        rows = [
            (f"{generation}/{number}", generation, passage)
            for generation, (passages, _) in generations.items()
            for number, passage in enumerate(passages)
        ]
        if not rows:
            return
        vectors = np.concatenate([vectors for passages, vectors in generations.values() if passages])
        for start in range(0, len(rows), self._batch):
            some = rows[start : start + self._batch]
            self._passages.upsert(
                ids=[identity for identity, _, _ in some],
                embeddings=vectors[start : start + len(some)],
                documents=[passage.text for _, _, passage in some],
                metadatas=[
                    {"generation": generation, "source": passage.source, "kind": passage.kind}
                    for _, generation, passage in some
                ],
            )

    @in_our_terms
    def nearest(self, vector: Vectors, k: int) -> list[tuple[tuple[str, int], float]]:
        """Generation and number of the `k` passages nearest to `vector` [d], with cosine similarity, best first.

        Fewer than `k` if there are not so many.
        """
        found = self._passages.query(query_embeddings=[vector], n_results=k, include=["distances"])
        return [
            (_place(identity), 1.0 - float(distance))
            for identity, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    @in_our_terms
    def holds(self, generation: str, vectors: Vectors) -> bool:
        """Whether the vectors [n, d] of a generation are all there, as they should be."""
        found = self._passages.get(where={"generation": generation}, include=["embeddings"])
        order = sorted(range(len(found["ids"])), key=lambda place: _place(found["ids"][place]))
        there = np.asarray(found["embeddings"], np.float32)[order] if order else vectors[:0]
        return there.shape == vectors.shape and np.allclose(there, vectors, atol=1e-4)

    @in_our_terms
    def forget(self, generations: Sequence[str]) -> None:
        for start in range(0, len(generations), self._batch):
            some = list(generations[start : start + self._batch])
            self._passages.delete(where={"generation": {"$in": some}})


def _place(identity: str) -> tuple[str, int]:
    generation, number = identity.split("/")
    return generation, int(number)
