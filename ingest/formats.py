"""Word, HTML, PDF and CSV documents as Markdown, so that headings, lists and tables are what they are in a text."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from ingest.formats_csv import CSV, csv_table
from ingest.formats_pdf import pdf_pages
from ingest.read import Decoded, decode
from kb.errors import InputError
from kb.records import RawDocument

__all__ = ["read_as_text"]

# Bytes that a Word document may grow by when it is unpacked, which pictures don't. A book's text has ten million, and
# what is made to be slow takes 7 s and 60 MB of memory for each million.
MOST_UNPACKED = 30_000_000
HTML = re.compile(  # each comment ends where it ends: looking for other ends would take twice as long with each comment
    r"\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
BESIDE_THE_TEXT = ("script", "style", "template", "noscript", "svg", "nav", "title", "footer", "iframe")
EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")

T = TypeVar("T")


def read_as_text(raw: RawDocument) -> Decoded:
    """A document's text: that of Word (.docx), HTML, PDF and CSV as Markdown, any other as its bytes say it (`decode`).

    What is no text in them is left out: pictures, scripts, menus, and the head and foot of pages.

    Raises:
        InputError: the document is damaged, locked, of a format that is not read, or holds no text.
    """
    if raw.data.startswith(b"%PDF-"):
        pages = _attempt(raw, lambda: pdf_pages(raw.data))
        return Decoded(_tidy(raw, "\n\n".join(filter(None, pages))), "pdf", tuple(_first_lines(pages)))
    if _is_word(raw):
        return Decoded(_tidy(raw, _attempt(raw, lambda: _word_text(raw.data))), "docx")
    decoded = decode(raw)
    if HTML.match(decoded.text):
        return Decoded(_tidy(raw, _attempt(raw, lambda: _markdown(decoded.text))), decoded.encoding)
    if raw.name.lower().endswith(CSV):
        return Decoded(_tidy(raw, _attempt(raw, lambda: csv_table(decoded.text))), decoded.encoding)
    return decoded


def _attempt(raw: RawDocument, convert: Callable[[], T]) -> T:
    """What a parser makes of the document, or an InputError that says why it can't."""
    try:
        return convert()
    except InputError as problem:
        raise InputError(f"{raw.name}: {problem}") from problem
    except Exception as problem:  # a parser fails in its own ways on bytes that are somebody else's
        reason = str(problem).rstrip(".") or type(problem).__name__
        raise InputError(
            f"{raw.name}: it can't be read ({reason}). Save it again, or convert it to Markdown."
        ) from problem


def _tidy(raw: RawDocument, text: str) -> str:
    if not text.strip():
        raise InputError(
            f"{raw.name}: there is no text in it. If its pages are pictures, have them read first (OCR: ocrmypdf, say)."
        )
    return EMPTY_LINES.sub("\n\n", text).strip() + "\n"


def _first_lines(pages: Sequence[str]) -> Iterator[int]:
    """The line on which each page begins where those with text are set apart by an empty line; counted from 1."""
    line = 1
    for page in pages:
        yield line
        line += page.count("\n") + 2 if page else 0


def _is_word(raw: RawDocument) -> bool:
    """Whether it is a Word document. A damaged archive is none: `decode` then says that it is an archive."""
    if not raw.data.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(raw.data)) as parts:
            return "word/document.xml" in parts.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _word_text(data: bytes) -> str:
    import mammoth

    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        if sum(part.file_size for part in parts.infolist()) > MOST_UNPACKED + len(data):
            raise InputError(f"its text unpacks to more than {MOST_UNPACKED // 1_000_000} MB. Split it.")
    no_picture = mammoth.images.img_element(lambda _: {})
    return _markdown(mammoth.convert_to_html(io.BytesIO(data), convert_image=no_picture).value)


def _markdown(html: str) -> str:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    page = BeautifulSoup(html, "html.parser")
    for element in page(BESIDE_THE_TEXT):
        element.decompose()
    options: dict[str, Any] = {"escape_asterisks": False, "escape_underscores": False, "escape_misc": False}
    converter = MarkdownConverter(heading_style="ATX", bullets="-", strip=["img"], table_infer_header=True, **options)
    return converter.convert_soup(page)
