"""The store's tables in Chroma: what is read and written there, and its errors in our own terms.

Three collections: `documents` holds one row for each document and one for the state of the whole store, `contents` the
restored texts, and one named in the state the passages with their vectors.
"""

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from kb.errors import StoreError
from kb.records import Document, Passage
from kb.store_rows import DocumentInfo, content_row, document_from, info_from, passage_from, passage_row

STATE = "state"
COSINE = {"hnsw": {"space": "cosine"}}
FORMAT = "1"
_spellings = count()

Metadata = Mapping[str, Any]
P = ParamSpec("P")
T = TypeVar("T")


def in_our_terms(method: Callable[P, T]) -> Callable[P, T]:
    """A method of `Chroma` whose failures below it are StoreErrors."""

    @wraps(method)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        from chromadb.errors import ChromaError

        try:
            return method(*args, **kwargs)
        except (ChromaError, sqlite3.Error, OSError, ValueError, RuntimeError) as problem:
            first_line = (str(problem) or type(problem).__name__).splitlines()[0]
            raise StoreError(
                f"The knowledge base can't be read or written ({first_line}). "
                "If its folder (GUIDE_HOME) is damaged, move it away and run `guide ingest` again."
            ) from problem

    return translated


class Chroma:
    """One opened Chroma folder. It sees what other processes write to its tables, but not to its vectors."""

    def __init__(self, folder: Path) -> None:
        """Opens the folder and makes the collections that it lacks.

        Raises:
            StoreError: the folder can't be opened, or its collections are not ours.
        """
        self.folder = folder
        self._passages: dict[str, Any] = {}
        self._open()

    @in_our_terms
    def _open(self) -> None:
        import chromadb
        from chromadb.config import Settings

        # Chroma shares one client, stale vectors included, among all who spell a folder alike.
        spelling = f"{self.folder}/{'./' * (next(_spellings) % 256)}"
        self._client: Any = chromadb.PersistentClient(spelling, settings=Settings(anonymized_telemetry=False))
        self._documents = self._collection("documents")
        self._contents = self._collection("contents")
        self._batch = self._client.get_max_batch_size()

    def close(self) -> None:
        self._client.close()

    @in_our_terms
    def state(self) -> Metadata:
        """`version`, `embedding` and the passages' `collection`; empty before the first commit."""
        rows = self._documents.get(ids=[STATE], include=["metadatas"])["metadatas"]
        return rows[0] if rows else {}

    @in_our_terms
    def live(self) -> dict[str, DocumentInfo]:
        """The documents that are there, by their generation."""
        found = self._documents.get(include=["metadatas"])
        rows = zip(found["ids"], found["metadatas"], strict=True)
        return {row["generation"]: info_from(identity, row) for identity, row in rows if row.get("generation")}

    @in_our_terms
    def document(self, info: DocumentInfo, generation: str) -> Document | None:
        rows = self._contents.get(ids=[generation], include=["metadatas"])["metadatas"]
        return document_from(info, rows[0]) if rows else None

    @in_our_terms
    def passages(self, collection: str, generation: str | None = None) -> list[tuple[str, Passage]]:
        """The stored passages, of one generation or of all, each with its generation."""
        where = {"generation": generation} if generation else None
        found = self._opened(collection).get(where=where, include=["metadatas", "documents"])
        rows = zip(found["metadatas"], found["documents"], strict=True)
        return [(row["generation"], passage_from(row, text)) for row, text in rows]

    @in_our_terms
    def count(self, collection: str) -> int:
        return int(self._opened(collection).count())

    @in_our_terms
    def nearest(self, collection: str, vector: NDArray[np.float32], k: int) -> list[tuple[str, Passage, float]]:
        """Generation, passage and cosine similarity of the `k` nearest to `vector` [d], best first."""
        found = self._opened(collection).query(
            query_embeddings=[vector], n_results=k, include=["metadatas", "documents", "distances"]
        )
        rows = zip(found["metadatas"][0], found["documents"][0], found["distances"][0], strict=True)
        return [
            (row["generation"], passage_from(row, text), 1.0 - float(distance))
            for row, text, distance in rows
            if row and text is not None
        ]

    @in_our_terms
    def put_passages(
        self, collection: str, generations: Mapping[str, tuple[Sequence[Passage], NDArray[np.float32]]]
    ) -> None:
        """Writes the passages of each generation with their vectors [passages, d]."""
        rows = [(key, passage) for key, (passages, _) in generations.items() for passage in passages]
        if not rows:
            return
        vectors = np.concatenate([vectors for passages, vectors in generations.values() if passages])
        for start in range(0, len(rows), self._batch):
            some = rows[start : start + self._batch]
            self._opened(collection).upsert(
                ids=[f"{generation}/{passage.id}" for generation, passage in some],
                embeddings=vectors[start : start + len(some)],
                documents=[passage.text for _, passage in some],
                metadatas=[passage_row(passage, generation) for generation, passage in some],
            )

    @in_our_terms
    def put_contents(self, generations: Mapping[str, Document]) -> None:
        """Writes the restored text of each generation."""
        for keys in _portions(list(generations), self._batch):
            self._contents.upsert(
                ids=keys,
                embeddings=[_place(key) for key in keys],
                metadatas=[content_row(generations[key]) for key in keys],
            )

    @in_our_terms
    def commit(self, rows: Mapping[str, Metadata], state: Metadata) -> None:
        """Writes document rows and the store's state at once: all of it or, if the process dies, none."""
        every = {**rows, STATE: state}
        self._documents.upsert(
            ids=list(every), embeddings=[_place(identity) for identity in every], metadatas=list(every.values())
        )

    @in_our_terms
    def forget(self, generations: Sequence[str], collection: str | None) -> None:
        """Removes the passages and contents of generations."""
        for keys in _portions(list(generations), self._batch):
            if collection:
                self._opened(collection).delete(where={"generation": {"$in": keys}})
            self._contents.delete(ids=keys)

    @in_our_terms
    def forget_documents(self, identities: Sequence[str]) -> None:
        """Removes the rows of documents."""
        if identities:
            self._documents.delete(ids=list(identities))

    @in_our_terms
    def drop(self, collection: str) -> None:
        """Removes a whole collection of passages, if it is there."""
        from chromadb.errors import NotFoundError

        self._passages.pop(collection, None)
        with suppress(NotFoundError):
            self._client.delete_collection(collection)

    def _opened(self, collection: str) -> Any:
        if collection not in self._passages:
            self._passages[collection] = self._collection(collection)
        return self._passages[collection]

    def _collection(self, name: str) -> Any:
        found = self._client.get_or_create_collection(
            name, configuration=COSINE, embedding_function=None, metadata={"format": FORMAT}
        )
        space, written = found.configuration_json["hnsw"]["space"], (found.metadata or {}).get("format")
        if (space, written) != ("cosine", FORMAT):
            raise StoreError(
                f"{self.folder}: collection {name} has space {space} and format {written}; "
                f"cosine and {FORMAT} are needed. Move the folder away, or set GUIDE_HOME to another one."
            )
        return found


def _portions(items: list[str], size: int) -> Iterator[list[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _place(identity: str) -> list[float]:
    """A vector for a row that is not searched for: Chroma wants one of each, and equal ones are slow to insert."""
    turn = uuid.uuid5(uuid.NAMESPACE_OID, identity).int % 100_003 / 100_003 * 2 * np.pi
    return [float(np.cos(turn)), float(np.sin(turn))]
