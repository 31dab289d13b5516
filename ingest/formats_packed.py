"""Documents that are ZIP archives of XML: which kind one is, and whether it is safe to unpack."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from kb.errors import InputError

__all__ = ["Packed", "packed_kind", "unpacked"]

Packed = Literal["docx", "xlsx", "pptx", "epub"]

KINDS: dict[str, Packed] = {
    "word/document.xml": "docx",
    "xl/workbook.xml": "xlsx",
    "ppt/presentation.xml": "pptx",
    "META-INF/container.xml": "epub",
}
# Bytes that a document may grow by when it is unpacked, which pictures don't. A book's text has ten million, and a Word
# document that is made to be slow takes 7 s and 60 MB of memory for each million.
MOST_UNPACKED = 30_000_000
ENTITY = b"<!ENTITY"  # what a bomb of XML is made of; no Office program writes any, and pages of a book are no XML here
XML = (".xml", ".rels")
ENCRYPTED = 1  # the bit of a part's flags


def packed_kind(data: bytes) -> Packed | None:
    """Which kind of document an archive is. One that is damaged is none: `decode` then says that it is an archive."""
    if not data.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    return next((kind for part, kind in KINDS.items() if part in names), None)


@contextmanager
def unpacked(data: bytes, kind: Packed) -> Iterator[zipfile.ZipFile]:
    """The document's archive, if it can be unpacked without harm.

    Raises:
        InputError: it unpacks to too much, needs a password, or holds XML that would grow when it is read.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if any(part.flag_bits & ENCRYPTED for part in parts):
            raise InputError("it needs a password. Save it without one.")
        if sum(part.file_size for part in parts) > MOST_UNPACKED + len(data):
            raise InputError(f"its text unpacks to more than {MOST_UNPACKED // 1_000_000} MB. Split it.")
        if kind != "epub" and any(ENTITY in archive.read(part) for part in parts if part.filename.endswith(XML)):
            raise InputError("its XML declares entities, as no Office program writes it. Save it again in one.")
        yield archive
