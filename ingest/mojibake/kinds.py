"""The code pages that UTF-8 is misread as: which character each byte becomes, and which bytes become none."""

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import cache

__all__ = ["CODE_PAGES", "CodePage", "Misreading", "characters_for", "code_page"]

# By how often each is met.
CODE_PAGES = (
    "cp1252",
    "latin-1",
    "cp1254",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1257",
    "cp1258",
    "iso8859-2",
    "iso8859-9",
    "iso8859-15",
    "mac_roman",
    "cp437",
    "cp850",
)
SOFT_HYPHEN = 0xAD
MARK = 0xFFFD  # stands in a view for one byte that is gone
OUTSIDE = 0xFFFE  # stands in a view for a character that the code page does not have


@dataclass(frozen=True)
class CodePage:
    """A single-byte encoding with its holes: the bytes above ASCII to which it gives no character."""

    name: str
    table: dict[int, int]
    holes: frozenset[int]

    def view(self, text: str) -> str:
        """`text` as the bytes it was made from, one character U+0000–U+00FF for each; same length, same offsets."""
        return text.translate(_View(self.table))


class _View(dict[int, int]):
    def __missing__(self, code_point: int) -> int:
        return code_point if code_point < 0x80 else OUTSIDE


@dataclass(frozen=True)
class Misreading:
    """UTF-8 that was read as a code page.

    `missing` are the bytes that may have been dropped without a trace; `mark` stands where a byte was replaced.
    """

    page: CodePage
    missing: frozenset[int] = frozenset()
    mark: str | None = None

    @property
    def name(self) -> str:
        if self.mark:
            return f"{self.page.name}_replaced"
        return f"{self.page.name}_dropped" if self.missing else self.page.name


@cache
def code_page(name: str) -> CodePage:
    """The table of a code page; where it has a hole, the control character of the same number, as browsers read it."""
    characters = {byte: bytes([byte]).decode(name, errors="ignore") for byte in range(0x80, 0x100)}
    table = {ord(character) if character else byte: byte for byte, character in characters.items()}
    table[MARK] = MARK
    return CodePage(name, table, frozenset(byte for byte, character in characters.items() if not character))


def characters_for(bytes_: Container[int]) -> str:
    """All characters that some code page gives to one of the bytes, escaped for a regular expression's class."""
    tables = (code_page(name).table for name in CODE_PAGES)
    return "".join(
        sorted({re.escape(chr(point)) for table in tables for point, byte in table.items() if byte in bytes_})
    )
