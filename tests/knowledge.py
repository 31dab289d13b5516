"""Small documents, passages and vectors for tests of the knowledge base."""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.passages import split_passages
from kb.records import Document, Passage
from kb.store import Store

DIMENSION = 16
EMBEDDING = "test-embedding"


class OpenStore(Protocol):
    """The fixture `open_store`."""

    def __call__(self, home: Path, chroma_url: str | None = None) -> Store: ...


def document(name: str, text: str) -> Document:
    identity = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Document(identity, name, name, text, "utf-8", hashlib.sha256(text.encode()).hexdigest())


def vector(text: str) -> NDArray[np.float32]:
    """A unit vector [16] that depends on the text alone."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    drawn = np.random.default_rng(seed).normal(size=DIMENSION)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def vectors(passages: list[Passage]) -> NDArray[np.float32]:
    return np.array([vector(passage.text) for passage in passages], np.float32).reshape(len(passages), DIMENSION)


def put(store: Store, name: str, text: str) -> list[Passage]:
    """Stores the text under the name; returns its passages."""
    stored = document(name, text)
    passages = split_passages(stored)
    store.replace(stored, passages, vectors(passages), "1", EMBEDDING)
    return passages


def numbered(name: str, edition: int, paragraphs: int = 20) -> str:
    """A text whose every passage says which document and edition it belongs to."""
    parts = (
        f"{name} 第 {edition} 版第 {number} 段：" + "这一段说明参数高效微调的一个细节。" * 6
        for number in range(paragraphs)
    )
    return "\n\n".join(parts)


def editions(store: Store) -> dict[str, set[str]]:
    """For each document the editions that its passages, its text and its nearest passages are of."""
    found: dict[str, set[str]] = {}
    for passage in store.passages():
        found.setdefault(passage.source, set()).add(passage.text.split()[2])
        nearest = store.nearest(vector(passage.text), 1)[0]
        assert nearest[0] == passage
        assert nearest[1] == pytest.approx(1, abs=1e-5)
    for info in store.documents():
        found.setdefault(info.name, set()).add(store.document(info.id).text.split()[2])
        assert info.passages == sum(passage.source == info.name for passage in store.passages())
    return found
