"""Vector search by Chroma. It holds nothing that the database has not: what is damaged here is made anew from there."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from kb.errors import StoreError, UnreachableError, first_line
from kb.records import Passage
from kb.store_values import Place, Vectors

COSINE: Any = {"hnsw": {"space": "cosine", "ef_search": 200}}
# A server takes 40 MB in one request, and a number is 16 bits of it in base64.
BATCH_NUMBERS = 4_000_000
SAME = 1e-4  # cosine distance of a vector and itself, with what rounding adds


class VectorsError(StoreError):
    """Chroma failed; opening it anew, or making its vectors anew, may help."""


@contextmanager
def in_our_terms(advice: str) -> Iterator[None]:
    """Turns failures in Chroma into errors of ours, which end with `advice`.

    Raises:
        UnreachableError: the server doesn't answer.
        VectorsError: everything else that Chroma can't do.
    """
    from chromadb.errors import ChromaError
    from httpx import TransportError

    try:
        yield
    except TransportError as problem:
        raise UnreachableError(f"The Chroma server doesn't answer ({first_line(problem)}). {advice}") from problem
    except (ChromaError, sqlite3.Error, OSError, ValueError, RuntimeError) as problem:
        raise VectorsError(f"Chroma can't keep or search the vectors ({first_line(problem)}). {advice}") from problem
    except Exception as problem:
        if type(problem) is not Exception:  # what Chroma's client raises for an answer that it doesn't know
            raise
        raise VectorsError(f"Chroma can't keep or search the vectors ({first_line(problem)}). {advice}") from problem


class VectorIndex:
    """One collection of an opened Chroma.

    In a folder, a process doesn't see the vectors that others write after it opened that.
    """

    def __init__(self, client: Any, collection: str, advice: str, close: Callable[[], None]) -> None:
        """Opens the collection, or makes it; `advice` is what to do when Chroma fails, `close` lets go of it.

        Raises:
            VectorsError: it can't be opened, or measures by something else than cosine.
        """
        self._advice, self.close = advice, close
        with ExitStack() as failed:
            failed.callback(close)
            with in_our_terms(advice):
                self._limit = int(client.get_max_batch_size())
                self._passages: Any = client.get_or_create_collection(
                    collection, configuration=COSINE, embedding_function=None
                )
                space = self._passages.configuration_json["hnsw"]["space"]
            if space != "cosine":
                raise VectorsError(f"Chroma's collection {collection} measures by {space}, and cosine is needed.")
            failed.pop_all()

    def count(self) -> int:
        """How many vectors there are."""
        with in_our_terms(self._advice):
            return int(self._passages.count())

    def put(self, generations: Mapping[str, tuple[Sequence[Passage], Vectors]]) -> None:
        """Adds the passages of each generation with their vectors [passages, d]."""
        rows = [
            (f"{generation}/{number}", {"generation": generation, "source": passage.source, "kind": passage.kind})
            for generation, (passages, _) in generations.items()
            for number, passage in enumerate(passages)
        ]
        if not rows:
            return
        vectors = np.concatenate([vectors for passages, vectors in generations.values() if passages])
        batch = max(1, min(self._limit, BATCH_NUMBERS // vectors.shape[1]))
        with in_our_terms(self._advice):
            for start in range(0, len(rows), batch):
                some, those = rows[start : start + batch], vectors[start : start + batch]
                self._upsert(some, those)
                lost = self._out_of_reach(those)
                if lost:
                    self._upsert([some[number] for number in lost], those[lost])

    def _upsert(self, rows: Sequence[tuple[str, dict[str, str]]], vectors: Vectors) -> None:
        self._passages.upsert(
            ids=[identity for identity, _ in rows],
            embeddings=vectors,
            metadatas=[metadata for _, metadata in rows],
        )

    def _out_of_reach(self, vectors: Vectors) -> list[int]:
        """Which of the vectors [n, d] that were put a search doesn't find.

        Now and then, on a busy machine, Chroma leaves one out of reach until it is put again.
        The query also has it file them now, not all at once when some are forgotten.
        """
        found = self._passages.query(query_embeddings=vectors, n_results=1, include=["distances"])
        return [number for number, near in enumerate(found["distances"]) if not near or not near[0] < SAME]

    def nearest(self, vector: Vectors, k: int, among: Sequence[Place] | None = None) -> list[tuple[Place, float]]:
        """The places of the `k` passages nearest to `vector` [d], with cosine similarity, best first.

        Fewer than `k` if there are not so many; `among` are the only ones to look at.
        """
        if among is not None and not among:
            return []
        ids = None if among is None else [f"{generation}/{number}" for generation, number in among]
        with in_our_terms(self._advice):
            found = self._passages.query(query_embeddings=[vector], n_results=k, ids=ids, include=["distances"])
        return [
            (_place(identity), 1.0 - float(distance))
            for identity, distance in zip(found["ids"][0], found["distances"][0], strict=True)
        ]

    def holds(self, generation: str, vectors: Vectors) -> bool:
        """Whether the vectors [n, d] of a generation are all there, as they should be."""
        with in_our_terms(self._advice):
            found = self._passages.get(where={"generation": generation}, include=["embeddings"])
        order = sorted(range(len(found["ids"])), key=lambda place: _place(found["ids"][place]))
        there = np.asarray(found["embeddings"], np.float32)[order] if order else vectors[:0]
        return there.shape == vectors.shape and np.allclose(there, vectors, atol=1e-4)

    def forget(self, generations: Sequence[str]) -> None:
        """Removes the vectors of generations."""
        with in_our_terms(self._advice):
            for start in range(0, len(generations), self._limit):
                some = list(generations[start : start + self._limit])
                self._passages.delete(where={"generation": {"$in": some}})


def _place(identity: str) -> Place:
    generation, number = identity.split("/")
    return generation, int(number)
