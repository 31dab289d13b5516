"""A file's bytes to a document as it is known: decoded, restored, cut into passages, with its tables."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from ingest.formats import read_as_text
from ingest.mojibake import restore
from ingest.passages import split_passages
from ingest.tables import find_tables
from kb.records import Document, Passage, RawDocument, Table

__all__ = ["ReadDocument", "document_id", "pipeline_version", "read_document"]


@dataclass(frozen=True)
class ReadDocument:
    """A document as it is known, with its passages and tables."""

    document: Document
    passages: Sequence[Passage]
    tables: Sequence[Table]


def read_document(raw: RawDocument) -> ReadDocument:
    """The document that the bytes are, decoded and mojibake restored, with its passages and tables.

    Its title is the one it has beside its text (a book), else its first heading (but for a workbook), else its name.

    Raises:
        InputError: the bytes are no document that can be read.
    """
    decoded = read_as_text(raw)
    restored = restore(decoded.text)
    document = Document(
        id=document_id(raw.name),
        name=raw.name,
        title=PurePosixPath(raw.name).stem,
        text=restored.text,
        encoding=decoded.encoding,
        sha256=raw.sha256,
        damage=restored.damage,
        repairs=restored.repairs,
        received=decoded.text if restored.damage else None,
        page_starts=decoded.page_starts,
    )
    passages = split_passages(document)
    headings = (passage.section[0] for passage in passages if passage.section)
    document = replace(document, title=decoded.title or next(headings, document.title))
    return ReadDocument(document, passages, find_tables(document))


def document_id(name: str) -> str:
    """The same for every version of a document: it follows from the name."""
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]


@cache
def pipeline_version() -> str:
    """Changes with whatever may change a document's text or passages: the code and the data of this package."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for file in sorted(package.rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
