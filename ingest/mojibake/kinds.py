"""The encodings that UTF-8 is misread as: which text each byte becomes, and which bytes become none."""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, count, repeat
from typing import Protocol

__all__ = [
    "DOUBLE_BYTE",
    "FOREIGN",
    "LOSSLESS_ONLY",
    "MARK",
    "OUTSIDE",
    "SINGLE_BYTE",
    "SOFT_HYPHEN",
    "DoubleByte",
    "Encoding",
    "View",
    "encoding",
    "pattern",
]

# By how often each is met.
SINGLE_BYTE = (
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
DOUBLE_BYTE = ("gbk", "cp932", "cp949")
# In the last two, lead bytes are lost as well, so only what came through whole can be told from other text.
LOSSLESS_ONLY = frozenset(("cp932", "cp949"))
SOFT_HYPHEN = 0xAD  # printed as nothing, and often dropped with what can't be printed
MARK = "\ufffd"  # stands in a view for one byte that was replaced
# A character that the encoding does not have speaks against it, unless it has nothing to do with code pages.
FOREIGN = "\ufffe"
OUTSIDE = "\uffff"
EAST = 0x2E80  # from here on: East Asian scripts, symbols, emoji


class View:
    """A text as the bytes it was made from, as characters U+0000–U+00FF, with `MARK`, `FOREIGN` and `OUTSIDE` in it."""

    def __init__(self, text: str, table: "_Table") -> None:
        self.bytes = text.translate(table)
        self._text, self._table = text, table

    @cached_property
    def at(self) -> Sequence[int]:
        """`at[n]` is the offset in the text of the character that byte n belongs to; at the end the text's length."""
        if len(self.bytes) == len(self._text):
            return range(len(self._text) + 1)
        sizes = map(len, map(self._table.__getitem__, map(ord, self._text)))
        return [*chain.from_iterable(map(repeat, count(), sizes)), len(self._text)]

    def begins(self, n: int) -> bool:
        """Whether a character of the text begins at byte n, so that bytes may be missing before it."""
        return n == 0 or self.at[n] != self.at[n - 1]

    def edge(self, n: int) -> int:
        """The offset of the first character that begins at byte n or after it."""
        return self.at[n] if self.begins(n) else self.at[n] + 1


class Encoding(Protocol):
    """An encoding that bytes were wrongly read in."""

    @property
    def name(self) -> str: ...

    @property
    def holes(self) -> frozenset[int]:
        """The bytes above ASCII that may give no character, whatever comes next."""
        ...

    def view(self, text: str) -> View:
        """The bytes that `text` was made from."""
        ...


@dataclass(frozen=True, eq=False)
class SingleByte:
    """A code page; `holes` are the bytes above ASCII that may give no character."""

    name: str
    table: "_Table"
    holes: frozenset[int]

    def view(self, text: str) -> View:
        return View(text, self.table)


@dataclass(frozen=True, eq=False)
class DoubleByte:
    """An East Asian encoding of one and two bytes; a byte that begins no character is dropped alone."""

    name: str
    table: "_Table"
    holes: frozenset[int] = frozenset()

    def view(self, text: str) -> View:
        return View(text, self.table)

    def drops(self, byte: int, following: int | None) -> bool:
        """Whether `byte`, where a character should begin, gives none when `following` (None: no byte) comes next."""
        return _drops(self.name, byte, following)


class _Table(dict[int, str]):
    """What `str.translate` makes of each character; what is not in the table is worked out once."""

    def __init__(self, known: Mapping[int, str], codec: str | None = None) -> None:
        super().__init__(known)
        self.codec = codec

    def __missing__(self, code_point: int) -> str:
        made = self._made(chr(code_point))
        self[code_point] = made
        return made

    def _made(self, character: str) -> str:
        if self.codec is None:
            return FOREIGN if ord(character) < EAST else OUTSIDE
        try:
            return character.encode(self.codec).decode("latin-1")
        except UnicodeEncodeError:
            return FOREIGN


@cache
def _drops(name: str, byte: int, following: int | None) -> bool:
    tail = b"" if following is None else bytes([following])
    return not any(_decodes(name, read) for read in {bytes([byte]), bytes([byte]) + tail})


def _decodes(name: str, data: bytes) -> bool:
    try:
        return len(data.decode(name)) == 1
    except UnicodeDecodeError:
        return False


@cache
def encoding(name: str) -> SingleByte | DoubleByte:
    """The tables of an encoding.

    Where a code page has a hole, the control character of the same number stands for the byte, as browsers read it.
    Latin-1 has none, but its control characters U+0080–U+009F are often stripped.
    """
    if name in DOUBLE_BYTE:
        return DoubleByte(name, _Table({ord(MARK): MARK}, name))
    characters = {byte: bytes([byte]).decode(name, errors="ignore") for byte in range(0x80, 0x100)}
    table = {code_point: chr(code_point) for code_point in range(0x80)}
    table |= {ord(character or chr(byte)): chr(byte) for byte, character in characters.items()}
    holes = frozenset(byte for byte, character in characters.items() if "\u0080" <= (character or "\u0080") < "\u00a0")
    return SingleByte(name, _Table(table | {ord(MARK): MARK}), holes)


def pattern(names: Iterable[str], first: Collection[int], second: Container[int] = range(0x100)) -> str:
    """All characters to which some encoding gives such a first byte and, if it has one, such a second byte.

    They are escaped for a regular expression's class.
    """
    found = {
        character
        for name in names
        for character, bytes_ in _characters(encoding(name), first)
        if all(byte in second for byte in bytes_[1:])
    }
    return "".join(sorted(map(re.escape, found)))


def _characters(of: SingleByte | DoubleByte, first: Collection[int]) -> Iterator[tuple[str, bytes]]:
    """The characters above ASCII whose first byte is one of `first`, with their bytes."""
    if isinstance(of, SingleByte):
        yield from ((chr(point), byte.encode("latin-1")) for point, byte in of.table.items() if ord(byte) in first)
        return
    for byte in first:
        row = [bytes([byte]), *(bytes([byte, second]) for second in range(0x40, 0xFF))]
        characters = b"\n".join(row).decode(of.name, errors="ignore").split("\n")
        yield from ((c, bytes_) for c, bytes_ in zip(characters, row, strict=True) if len(c) == 1 and c >= "\u0080")
