"""Small documents, passages and vectors for tests of the knowledge base."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from ingest.passages import split_passages
from kb.records import Document, Passage
from kb.store import Store

DIMENSION = 16
EMBEDDING = "test-embedding"


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
