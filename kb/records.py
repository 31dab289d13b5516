"""The values that flow from bytes to answers. All are frozen; offsets count Unicode code points of a text."""

from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

PassageKind = Literal["prose", "table", "table_row", "list", "code"]
TableKind = Literal["table", "list", "sections", "entries"]
Mode = Literal["rag", "plain"]
Style = Literal["quote", "prose"]
Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class RawDocument:
    """A file as it was received; `sha256` is the hex digest of `data`."""

    name: str
    data: bytes
    sha256: str


@dataclass(frozen=True)
class Repair:
    """One stretch of restored text that had to be inferred because bytes were missing.

    `start` and `end` bound `after` in the restored text; `before` is the damaged text that it replaces. `confidence`
    is the probability of `after`; `alternatives` are the next best readings, likeliest first.
    """

    start: int
    end: int
    before: str
    after: str
    confidence: float
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A document as it is known: `text` is the restored text, `encoding` how its bytes were read.

    `damage` names the kinds of mojibake that were undone, in the order in which they were undone; empty when clean.
    `received` is the text before that, line for line; None where it is the same. `id` is stable over a document's
    versions (it follows from the name); `sha256` is that of the received bytes. `page_starts` has the line on which
    each page of a PDF, or slide, begins; it is empty for all else.
    """

    id: str
    name: str
    title: str
    text: str
    encoding: str
    sha256: str
    damage: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    received: str | None = None
    page_starts: tuple[int, ...] = ()

    def pages(self, first_line: int, last_line: int) -> tuple[int, int] | None:
        """The first and the last page of these lines, all counted from 1; None in a document without pages."""
        if not self.page_starts:
            return None
        return bisect_right(self.page_starts, first_line), bisect_right(self.page_starts, last_line)


@dataclass(frozen=True)
class Section:
    """A stretch of a document under one heading; `path` is the trail of headings, outermost first."""

    path: tuple[str, ...]
    level: int
    start: int
    end: int


@dataclass(frozen=True)
class Passage:
    """What is retrieved: `document.text[start:end] == text`; lines count from 1, both ends included.

    `context` is text that helps to find the passage but does not stand in its span: the heading trail, a table's
    header, a list's lead. `header` holds the cells of its table's header, for a table or a row of one. `indexed` is
    what dense and lexical search see. `pages` are the first and the last that it stands on in a PDF.
    """

    id: str
    document_id: str
    source: str
    kind: PassageKind
    text: str
    section: tuple[str, ...]
    start: int
    end: int
    first_line: int
    last_line: int
    context: str = ""
    header: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None

    @property
    def indexed(self) -> str:
        return f"{self.context}\n{self.text}" if self.context else self.text


@dataclass(frozen=True)
class Cell:
    """One cell as it reads, without marks; what it was read from stands at `[start, end)` of the document's text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Row:
    """One row with a cell for each column; it stands at `[start, end)`, and an empty cell is an empty span in there."""

    cells: tuple[Cell, ...]
    start: int
    end: int
    first_line: int
    last_line: int


@dataclass(frozen=True)
class Table:
    """What a document says in rows and columns, however it is written there.

    `kind` tells how: a Markdown table, a list whose items are `name: text`, sections that each say the same things of
    another subject, or the entries of an API's page. The first column names what the row is about.
    """

    id: str
    document_id: str
    source: str
    kind: TableKind
    title: str
    section: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def start(self) -> int:
        return min(row.start for row in self.rows)

    @property
    def end(self) -> int:
        return max(row.end for row in self.rows)

    @property
    def lines(self) -> tuple[int, int]:
        return min(row.first_line for row in self.rows), max(row.last_line for row in self.rows)


@dataclass(frozen=True)
class Hit:
    """A retrieved passage with its fused score and the two scores behind it (None: not found by that search)."""

    passage: Passage
    score: float
    dense: float | None
    lexical: float | None


@dataclass(frozen=True)
class Filter:
    """What a passage must be to be found; None allows everything, an empty collection nothing.

    `documents` are ids or names; `section` must stand in one of the headings above the passage, whatever its case or
    width.
    """

    documents: Collection[str] | None = None
    section: str | None = None
    kinds: Collection[PassageKind] | None = None


@dataclass(frozen=True)
class Citation:
    """A verbatim quote: it stands at `[start, end)` of the restored text of `source`, on `lines` (first, last).

    `restored` is the lowest confidence among the inferred characters inside the quote; None when there are none.
    `pages` are the first and the last that it stands on in a PDF.
    """

    n: int
    quote: str
    source: str
    section: tuple[str, ...]
    start: int
    end: int
    lines: tuple[int, int]
    restored: float | None
    pages: tuple[int, int] | None = None


@dataclass(frozen=True)
class Usage:
    """Tokens that the model read and wrote for one answer."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Answer:
    """A question's answer with all that it rests on; `[n]` in `text` refers to `citations`.

    `finish` says why the writing ended: the answer was whole, as long as was allowed, or no longer wanted. With
    retrieval, `answerable` is the probability that the knowledge base answers the question, and `understood` the
    question as it was looked for, with misspelt identifiers put right.
    """

    question: str
    text: str
    abstained: bool
    mode: Mode
    style: Style
    model: str
    adapter: str | None
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    usage: Usage
    timings_ms: dict[str, float] = field(default_factory=dict)
    finish: Finish = "stop"
    answerable: float | None = None
    understood: str | None = None
