"""Documents of other programs as Markdown, so that headings, lists and tables are what they are in a text."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TypeVar

from ingest.formats_csv import CSV, csv_text
from ingest.formats_docx import word_text
from ingest.formats_epub import read_book
from ingest.formats_html import html_text, is_html, page_of
from ingest.formats_packed import Packed, packed_kind, unpacked
from ingest.formats_pdf import pdf_pages
from ingest.formats_pptx import slide_texts
from ingest.formats_xlsx import workbook_text
from ingest.read import Decoded, decode
from kb.errors import InputError
from kb.records import RawDocument

__all__ = ["read_as_text"]

OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
LOCKED_OFFICE = "EncryptedPackage".encode("utf-16-le")  # what a document of Office with a password holds
PACKED = (".docx", ".xlsx", ".pptx", ".epub")
PICTURES = "If its pages are pictures, have them read first (OCR: ocrmypdf, say)."
NO_TEXT = {
    "xlsx": "If its cells are formulas, open it in Excel or LibreOffice and save it: what they give is kept then.",
    "pptx": "If its slides are pictures, have them read first (OCR), or give their text as Markdown.",
}
EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")

T = TypeVar("T")


def read_as_text(raw: RawDocument) -> Decoded:
    """A document's text: of Word, Excel, PowerPoint, EPUB, HTML, PDF and CSV as Markdown, else as its bytes say it.

    What is no text in them is left out: pictures, scripts, menus, and the head and foot of pages.

    Raises:
        InputError: the document is damaged, locked, of a format that is not read, or holds no text.
    """
    if raw.data.startswith(b"%PDF-"):
        return _tidied(raw, _attempt(raw, lambda: _paged("pdf", pdf_pages(raw.data))))
    if kind := packed_kind(raw.data):
        return _tidied(raw, _attempt(raw, lambda: _unpacked(raw, kind)))
    if raw.data.startswith(OLD_OFFICE) and LOCKED_OFFICE in raw.data:
        raise InputError(f"{raw.name}: it needs a password. Save it without one.")
    if raw.data.startswith(b"PK") and raw.name.lower().endswith(PACKED):
        raise InputError(f"{raw.name}: it is damaged or cut off. Save it again, or get it anew.")
    decoded = decode(raw)
    if is_html(decoded.text):
        return _tidied(raw, Decoded(_attempt(raw, lambda: html_text(page_of(decoded.text))), decoded.encoding))
    if raw.name.lower().endswith(CSV):
        return _tidied(raw, Decoded(_attempt(raw, lambda: csv_text(decoded.text)), decoded.encoding))
    return decoded


def _unpacked(raw: RawDocument, kind: Packed) -> Decoded:
    with unpacked(raw.data, kind) as archive:
        if kind == "xlsx":
            return Decoded(workbook_text(archive, raw.data), kind, title=PurePosixPath(raw.name).stem)
        if kind == "pptx":
            return _paged(kind, slide_texts(raw.data))
        if kind == "epub":
            book = read_book(archive)
            return Decoded(book.text, kind, title=book.title)
        return Decoded(word_text(raw.data), kind)


def _paged(kind: str, pages: Sequence[str]) -> Decoded:
    """Pages that have no empty lines at their ends, nor two in a row, set apart by an empty line."""
    return Decoded("\n\n".join(filter(None, pages)), kind, tuple(_first_lines(pages)))


def _attempt(raw: RawDocument, convert: Callable[[], T]) -> T:
    """What a parser makes of the document, or an InputError that says why it can't."""
    try:
        return convert()
    except InputError as problem:
        raise InputError(f"{raw.name}: {problem}") from problem
    except Exception as problem:  # a parser fails in its own ways on bytes that are somebody else's
        reason = " ".join(str(problem).split()).rstrip(".") or type(problem).__name__
        raise InputError(
            f"{raw.name}: it can't be read ({reason}). Save it again, or convert it to Markdown."
        ) from problem


def _tidied(raw: RawDocument, decoded: Decoded) -> Decoded:
    if not decoded.text.strip():
        raise InputError(f"{raw.name}: there is no text in it. {NO_TEXT.get(decoded.encoding, PICTURES)}")
    return replace(decoded, text=EMPTY_LINES.sub("\n\n", decoded.text).strip() + "\n")


def _first_lines(pages: Sequence[str]) -> Iterator[int]:
    """The line on which each page begins where those with text are set apart by an empty line; counted from 1."""
    line = 1
    for page in pages:
        yield line
        line += page.count("\n") + 2 if page else 0
