"""The entries of an API's page: a name with its signature, however far a machine has spread them over lines.

Translated and converted pages put a signature's names, types and brackets into paragraphs of their own, with a link to
the source between them and lines broken at every mark. What belongs together is told by how it is set: a bracket alone
on its line opens the signature, another one closes it, what stands before them is the name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_NAME = 80
# Where an entry's signature must have ended: what goes on for longer is something else.
LONGEST_SIGNATURE = 8000
HAN = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"

_SPREAD = re.compile(r"^[^\S\n]*[（(][^\S\n]*\n(?P<inside>.*?)^[^\S\n]*[)）][^\S\n]*$", re.DOTALL | re.MULTILINE)
_CODE_LINK = re.compile(r"\[(?=\s*<|[^\[\]]*\]\([^()\s]*#L\d)[^\[\]]*\]\([^()\s]*\)")
_AFTER_LINK = re.compile(r"\s*[（(](?P<inside>[^\n]*(?:\n[^\n]*\S[^\n]*)*?)[)）][^\S\n]*(?=\n[^\S\n]*\n|\n?\Z)")
_CALL = re.compile(
    r"^#{1,6}[^\S\n]+(?P<name>[A-Za-z_][\w.\\]*)\((?P<inside>[^\n]*)\)[^\S\n]*#*$", re.MULTILINE | re.ASCII
)
_PARAMETER = re.compile(r"\\?\*{0,2}[A-Za-z_][\w\\]*\s*(?:[:=].*)?|\\?[*/.]{1,3}", re.ASCII | re.DOTALL)
_HEADING = re.compile(r"^[^\S\n]*#{1,6}(?:[^\S\n]+|$)", re.MULTILINE)
_BLOCK = re.compile(r"^[^\S\n]*(?:[-*+>|]\s|\d+[.)]\s|```|~~~)", re.MULTILINE)
_ESCAPED = re.compile(r"\\([-\\`*_{}\[\]()#+.!|<>~])")
_COLON = re.compile(r"^[:：]\s*")
_EMPTY_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.DOTALL | re.MULTILINE)
_ITEM = re.compile(r"\n(?=[-*+][^\S\n]|\d{1,2}[.)](?!\d))")
_WRAPPED = re.compile(r"(?<=\S\n)[^\S\n](?=[^\s\-*+>|#\d])")
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
_REFERENCE = re.compile(r"#(?:[\w.]+\.)?([A-Za-z_]\w*)\Z", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A name and its parameters; they stand at `[start, end)` of the text, the name alone at `[start, name_end)`."""

    name: str
    parameters: tuple[str, ...]
    start: int
    name_end: int
    end: int

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(self.parameters)})"


def find_entry(text: str) -> Entry | None:
    """The entry that a section opens with, its heading included; None when it opens with something else."""
    text = text[:LONGEST_SIGNATURE]
    called = _CALL.match(text)
    if called:
        return _called(called)
    link = _CODE_LINK.search(text)
    found = _AFTER_LINK.match(text, link.end()) if link else None
    found = found or _SPREAD.search(text)
    if found is None:
        return None
    head = text[: link.start() if link and link.end() <= found.start() else found.start()]
    heading = list(_HEADING.finditer(head))
    start = heading[-1].end() if heading else 0
    start += len(head[start:]) - len(head[start:].lstrip())
    name = put_together(head[start:])
    if not name or len(name) > LONGEST_NAME or _BLOCK.search(head, start) or (link is None and not heading):
        return None
    end = len(text[: found.end()].rstrip())
    return Entry(name, tuple(_parameters(found["inside"])), start, len(head.rstrip()), end)


def put_together(text: str) -> str:
    """A stretch that was broken into lines, as one line: without escapes, and without spaces where none belong."""
    line = re.sub(rf"(?<=[{HAN}])\n(?=[{HAN}])", "", _ESCAPED.sub(r"\1", text))
    line = re.sub(r"\s+", " ", line)
    line = re.sub(r"(?<=[（(\[，。：；、！？）])\s+|\s+(?=[（）)\]，。：；、！？,;])", "", line)
    return line.strip()


def readable(text: str) -> str:
    """The text with the entry that it opens with on one line, and paragraphs too if a machine has broken them.

    Other texts stay as they are.
    """
    entry = find_entry(text)
    if text.count("```") % 2 or not (entry or _WRAPPED.search(_FENCE.sub("", text))):
        return text
    head = _EMPTY_LINES.sub("\n\n", text[: entry.start].rstrip()) if entry else ""
    parts = [f"{head} {entry.signature}"] if entry else []
    for part in _FENCE.split(text[entry.end if entry else 0 :]):
        parts += [part] if _FENCE.match(part) else map(unwrapped, _EMPTY_LINES.split(part))
    return "\n\n".join(part.strip() for part in parts if part.strip())


def unwrapped(paragraph: str) -> str:
    """A paragraph, or the items of a list, on one line each if a machine has broken them: its lines begin with a space.

    References to other entries are shown by their names alone.
    """
    if not _WRAPPED.search(paragraph):
        return paragraph
    return "\n".join(put_together(without_references(item)) for item in _ITEM.split(paragraph))


def without_references(text: str) -> str:
    """The text without the targets of links that refer to a name in some page: they say nothing to a reader."""
    return _LINK.sub(lambda link: link[1] if _REFERENCE.search(link[2]) else link[0], text)


def referenced_names(text: str) -> Iterator[str]:
    """The names that links refer to and that don't stand in what is read, as where a translator took them for words."""
    read = _ESCAPED.sub(r"\1", _LINK.sub(r"\1", text)).casefold()
    for link in _LINK.finditer(text):
        found = _REFERENCE.search(link[2])
        if found and not re.fullmatch(r"L\d+", found[1]) and found[1].casefold() not in read:
            yield found[0].removeprefix("#")


def _called(call: re.Match[str]) -> Entry | None:
    """The entry of a heading that is a call: `step(time, inputs)`."""
    inside = call["inside"].strip()
    parameters = re.split(r",\s*(?![^\[(]*[\])])", inside) if inside else []
    if not all(_PARAMETER.fullmatch(parameter.strip()) for parameter in parameters):
        return None
    name, end = put_together(call["name"]), len(call[0].rstrip())
    return Entry(name, tuple(map(put_together, parameters)), call.start("name"), call.end("name"), end)


def _parameters(inside: str) -> Iterator[str]:
    """Each parameter with its type and default; a paragraph that begins with : or = goes on with the one before."""
    held = ""
    for part in _EMPTY_LINES.split(inside):
        piece = put_together(part)
        if held and piece[:1] in set(":：="):
            held += _COLON.sub(": ", piece)
            continue
        if held:
            yield held
        held = piece
    if held:
        yield held
