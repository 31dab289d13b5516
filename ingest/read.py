"""Bytes to text. The encoding is found from evidence and named; nothing is dropped, replaced or guessed silently."""

import codecs
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingest.mojibake.frequent import EAST_ASIAN_ENCODINGS, ENOUGH_FREQUENT, frequent_share
from kb.errors import InputError
from kb.records import RawDocument
from kb.settings import Settings

__all__ = ["Decoded", "decode", "raw_document", "read_file", "read_stream"]

# Longer marks first: UTF-32's little-endian mark begins with UTF-16's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ZEROS_IN_PLACE = 0.8
UNMARKED_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
HIGH = re.compile(r"[^\x00-\x7f]")

# Formats that hold text but are none, by their first bytes.
OTHER_FORMATS = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive, or a .docx, .xlsx, .pptx or .epub that is damaged"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an older Word, Excel or PowerPoint"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"{\\rtf", "an RTF document"),
)

# In Western text a letter above ASCII stands in a word of ASCII letters or alone (à), a curly quote or dash anywhere.
# ð, ý and þ are left out: where they are met the file is nearly always Turkish Windows-1254, not Icelandic.
WESTERN = re.compile(
    r"(?<=[A-Za-z])[À-ÏÑ-Üßà-ïñ-üÿŒœŠšŽžŸ]|[À-ÏÑ-Üßà-ïñ-üÿŒœŠšŽžŸ](?=[A-Za-z])|(?<=\s)[ÀÉàéó](?=\s)"
    r"|[‘’“”–—…«»°§©®€£·\u00a0]"
)
WESTERN_SHARE = 0.9
COHERENCE = 0.5


@dataclass(frozen=True)
class Decoded:
    """A document's text, code point for code point what its bytes say, and the encoding that says it.

    `page_starts` has the line on which each page begins; it is empty where there are none. `title` is what the document
    is called if that is not its first heading.
    """

    text: str
    encoding: str
    page_starts: tuple[int, ...] = ()
    title: str = ""


def raw_document(name: str, data: bytes) -> RawDocument:
    return RawDocument(name, data, hashlib.sha256(data).hexdigest())


def read_file(path: Path, settings: Settings) -> RawDocument:
    """The file's bytes, named by its file name.

    Raises:
        InputError: the file is missing, a folder, unreadable, empty or larger than `max_document_mb`.
    """
    limit = settings.max_document_mb * 1_000_000
    try:
        if path.is_dir():
            raise InputError(f"{path}: a folder, where a file was wanted. Name a file in it.")
        size = path.stat().st_size
        if size > limit:
            raise InputError(
                f"{path}: {size / 1e6:.1f} MB, more than max_document_mb = {settings.max_document_mb:g}. "
                "Split the file, or raise GUIDE_MAX_DOCUMENT_MB."
            )
        data = path.read_bytes()
    except FileNotFoundError as problem:
        raise InputError(f"{path}: no such file. Check the path.") from problem
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise InputError(f"{path}: can't be read ({reason}). Check its permissions and its name.") from problem
    if not data:
        raise InputError(f"{path}: the file is empty. Give a file that holds text.")
    return raw_document(path.name, data)


def read_stream(name: str, stream: BinaryIO, settings: Settings) -> RawDocument:
    """All bytes of a stream, under a name for messages.

    Raises:
        InputError: there are more than `max_document_mb`.
    """
    limit = int(settings.max_document_mb * 1_000_000)
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise InputError(
            f"{name}: more than max_document_mb = {settings.max_document_mb:g}. Split it, or raise "
            "GUIDE_MAX_DOCUMENT_MB."
        )
    return raw_document(name, data)


def decode(raw: RawDocument) -> Decoded:
    """The text of a document; line ends and every character are kept, only a byte order mark is taken off.

    Tried in turn: a byte order mark, UTF-8, UTF-16 and UTF-32 without a mark, then the encodings that need evidence:
    GB18030, Big5, Shift-JIS, EUC-JP and EUC-KR (the language's frequent characters are there), Windows-1252 (letters
    stand in words), and what charset-normalizer recognises as coherent language.

    Raises:
        InputError: the bytes are another format, no text, cut off or broken in their encoding, or fit no encoding.
    """
    if not raw.data:
        raise InputError(f"{raw.name}: the document is empty. Give a file that holds text.")
    for signature, format_name in OTHER_FORMATS:
        if raw.data.startswith(signature):
            raise InputError(f"{raw.name}: {format_name}, not a text. Give it as Markdown or plain text.")
    decoded = _marked(raw) or _read_as(raw.data, "utf-8") or _wide(raw.data) or _by_evidence(raw)
    controls = len(CONTROLS.findall(decoded.text))
    if "\x00" in decoded.text or controls * 100 > len(decoded.text):
        raise _binary(raw)
    if not decoded.text.strip():
        raise InputError(f"{raw.name}: the document holds nothing but white space. Give a file that holds text.")
    return decoded


def _marked(raw: RawDocument) -> Decoded | None:
    for mark, encoding in BYTE_ORDER_MARKS:
        if raw.data.startswith(mark):
            try:
                return Decoded(raw.data.decode(encoding), encoding)
            except UnicodeDecodeError as problem:
                raise InputError(
                    f"{raw.name}: its byte order mark says {encoding}, but byte {problem.start} onwards is not. "
                    "The file may be cut off: save it again as UTF-8."
                ) from problem
    return None


def _wide(data: bytes) -> Decoded | None:
    """UTF-16 or UTF-32 without a mark: text in them has many zero bytes, nearly always at the same places."""
    if data.count(0) * 10 < len(data):
        return None
    readings = (_read_as(data, encoding) for encoding in UNMARKED_WIDE if _zeros_are_high(data, encoding))
    return next((found for found in readings if found and not CONTROLS.search(found.text)), None)


def _zeros_are_high(data: bytes, encoding: str) -> bool:
    """Whether zero bytes stand where the encoding has the high byte of a common character."""
    width = 4 if encoding.startswith("utf-32") else 2
    high = range(1, width) if encoding.endswith("le") else range(width - 1)
    return sum(data[place::width].count(0) for place in high) >= ZEROS_IN_PLACE * data.count(0)


def _by_evidence(raw: RawDocument) -> Decoded:
    if b"\x00" in raw.data:
        raise _binary(raw)
    readings = [decoded for encoding in EAST_ASIAN_ENCODINGS if (decoded := _read_as(raw.data, encoding))]
    best = max(readings, key=_frequency, default=None)
    if best and _frequency(best) >= ENOUGH_FREQUENT:
        return best
    _refuse_broken_utf8(raw)
    decoded = _western(raw.data) or _coherent(raw.data)
    if decoded is None:
        raise _binary(raw)
    return decoded


def _frequency(decoded: Decoded) -> float:
    return frequent_share(decoded.text, decoded.encoding)


def _read_as(data: bytes, encoding: str) -> Decoded | None:
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        return None


def _refuse_broken_utf8(raw: RawDocument) -> None:
    """Says where a file that is UTF-8 but for a few bytes breaks, so that it is not taken for something else."""
    try:
        raw.data.decode("utf-8")
    except UnicodeDecodeError as problem:
        readable = raw.data.decode("utf-8", errors="ignore")
        above_ascii = sum(byte > 0x7F for byte in raw.data)
        kept = sum(len(c.encode()) for c in HIGH.findall(readable))
        if kept * 2 > above_ascii:
            line = raw.data.count(b"\n", 0, problem.start) + 1
            raise InputError(
                f"{raw.name}: UTF-8, but broken at byte {problem.start} (line {line}). "
                "The file may be cut off or mixed from two encodings: mend that place, or save it again as UTF-8."
            ) from problem


def _western(data: bytes) -> Decoded | None:
    decoded = _read_as(data, "cp1252")
    if decoded is None or len(WESTERN.findall(decoded.text)) < WESTERN_SHARE * len(HIGH.findall(decoded.text)):
        return None
    return decoded


def _coherent(data: bytes) -> Decoded | None:
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None or best.coherence < COHERENCE:
        return None
    return Decoded(data.decode(best.encoding), best.encoding)


def _binary(raw: RawDocument) -> InputError:
    return InputError(f"{raw.name}: its bytes are not text in any encoding known here. Save it as UTF-8 text.")
