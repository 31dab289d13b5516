"""What goes into the store and comes out of it beside records: changes, what is known of a document, the state."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kb.errors import StoreError
from kb.records import Document, Passage, Table

Vectors = NDArray[np.float32]
Place = tuple[str, int]  # a passage's generation, and its number there


@dataclass(frozen=True)
class State:
    """What holds for all documents: the vectors' `embedding` model and `dimension`, and the name of their `index`.

    `put` counts the vectors that were put into that index, those forgotten since included. `base` tells this knowledge
    base from others.
    """

    base: str = ""
    version: str = ""
    embedding: str | None = None
    dimension: int | None = None
    index: str | None = None
    put: int = 0

    def check_dimension(self, dimension: int) -> None:
        """Raises StoreError if vectors of this dimension can't be compared with those stored."""
        if self.dimension not in {None, dimension}:
            raise StoreError(
                f"The knowledge base has vectors of {self.dimension} dimensions, not {dimension}: another embedding "
                "model made them. Run `guide ingest` to index it anew, or set GUIDE_EMBEDDING_MODEL back."
            )

    def check_embedding(self, fingerprint: str) -> None:
        """Raises StoreError if the vectors stored are from another embedding model."""
        if self.embedding not in {None, fingerprint}:
            raise StoreError(
                f"The knowledge base was indexed with another embedding model ({self.embedding}) than the one set "
                f"({fingerprint}). Run `guide ingest` to index it anew, or set GUIDE_EMBEDDING_MODEL back."
            )


@dataclass(frozen=True)
class DocumentInfo:
    """What is known of a document without reading its text; `pipeline` is the version of what made its passages."""

    id: str
    name: str
    title: str
    sha256: str
    encoding: str
    chars: int
    passages: int
    damage: tuple[str, ...]
    repairs: int
    pipeline: str


@dataclass(frozen=True)
class Change:
    """A document to store with its n passages, their vectors [n, d] and its tables.

    `pipeline` is the version of what made them. `instead_of` is the id of another document that goes when this one
    comes: it was renamed. `lines` has the vectors of each passage's lines, if they are kept, in the readers' own form.
    """

    document: Document
    passages: Sequence[Passage]
    vectors: Vectors
    pipeline: str
    instead_of: str | None = None
    tables: Sequence[Table] = ()
    lines: Sequence[bytes] = ()

    def check(self, state: State) -> None:
        """Raises StoreError unless there is a vector of numbers, comparable with those stored, for each passage."""
        shape = self.vectors.shape
        if len(shape) != 2 or shape[0] != len(self.passages) or not np.isfinite(self.vectors).all():
            raise StoreError(f"{self.document.name}: vectors {shape} don't fit {len(self.passages)} passages.")
        if len(self.lines) not in {0, len(self.passages)}:
            raise StoreError(f"{self.document.name}: lines of {len(self.lines)} passages, not {len(self.passages)}.")
        state.check_dimension(shape[1])
