"""Real documents in any number, for benchmarks: those of a training corpus, in an order that is always the same."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

from ingest.passages import split_passages
from kb.records import Document, Passage
from models.corpus import read_corpus


def corpus_texts(corpus: Path, longest: int = 20_000) -> list[str]:
    """The different Chinese texts of the corpus, mixed, each cut to `longest` characters."""
    texts = list(dict.fromkeys(document.text[:longest] for document in read_corpus(corpus, ("zh", "zh_sharealike"))))
    random.Random(0).shuffle(texts)
    return texts


def split_documents(texts: list[str]) -> Iterator[tuple[Document, list[Passage]]]:
    """Each text as a document and its passages."""
    for number, text in enumerate(texts):
        name = f"{number:05}.md"
        identity, sha256 = (hashlib.sha256(part.encode()).hexdigest() for part in (name, text))
        document = Document(identity[:16], name, name, text, "utf-8", sha256)
        if passages := split_passages(document):
            yield document, passages
