"""Rows and cells that a question names: what the documents' tables add to the search by words and by meaning."""

import re
import unicodedata
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kb.records import Cell, Table
from kb.terms import HAN_START, terms

__all__ = ["NamedCells", "Rarity", "Span", "names_of", "plain_name", "stands_in"]

_NUMBERING = re.compile(r"^[^\w(（\"'`]*(?:\d[\d.]*[.、)]?\s+)?")
_GLOSS = re.compile(r"(?P<name>[^(（]*[^(（\s])\s*[(（](?P<gloss>[^()（）]+)[)）]")
_PART = re.compile(r"[\w.-]")
SHORTEST = 2
ALONE = 0.9  # of what a question says, for it to ask for nothing else
WHOLE = 2.0  # how much more a row counts that is all that is asked for

T = TypeVar("T", bound=Hashable)
Rarity = Sequence[tuple[str, float]]  # a question's terms, with their inverse document frequencies
Span = tuple[str, int, int]  # a document's id, and the start and end of a passage in its text


@dataclass(frozen=True)
class _Row:
    """A row with the names that it goes by; `cells` are those that a column names, with the column's names."""

    table: int
    start: int
    end: int
    names: tuple[str, ...]
    cells: tuple[tuple[Cell, tuple[str, ...]], ...]


class NamedCells:
    """Tells how much of a question names a row that a passage holds, and columns of that row."""

    def __init__(self, tables_of: Callable[[Collection[str]], Sequence[Table]]) -> None:
        """`tables_of` gives the tables of the documents with these ids; each document's are asked for once."""
        self._tables_of = tables_of
        self._rows: dict[str, list[_Row]] = {}

    def shares(
        self,
        question: str,
        rarity: Rarity,
        spans: Mapping[T, Span],
        holding: Callable[[Span], Mapping[T, Span]] = lambda _: {},
    ) -> dict[T, float]:
        """For each passage that holds a row which the question names, the share of the question that names it.

        `spans` tells where each passage stands. `rarity` gives the question's terms with their inverse document
        frequencies, by which they weigh. Where nothing but a row is asked for, `holding` gives the passages that hold
        all of a stretch of a document: they count though no search found them.
        """
        asked, total = plain_name(question), sum(weight for _, weight in rarity)
        if not total:
            return {}
        documents = {document for document, _, _ in spans.values()}
        self._read(documents - self._rows.keys())
        found = ((document, _named(self._rows[document], asked)) for document in documents)
        named = {document: rows for document, rows in found if rows}
        alone = [
            (document, row.start, row.end)
            for document, rows in named.items()
            for row, names in rows
            if _said(names, rarity) > ALONE * total
        ]
        spans = {**spans, **{passage: span for row in alone for passage, span in holding(row).items()}}
        weights = {
            passage: max(_weight(row, names, (start, end), asked, rarity) for row, names in named[document])
            for passage, (document, start, end) in spans.items()
            if document in named
        }
        return {name: weight / total for name, weight in weights.items() if weight}

    def _read(self, documents: Collection[str]) -> None:
        found: dict[str, list[_Row]] = {document: [] for document in documents}
        for table in self._tables_of(documents) if documents else ():
            named = table.kind in {"table", "sections"}
            columns = [names_of(column) for column in table.columns[1:]] if named else []
            found[table.document_id] += [
                _Row(
                    table.start,
                    row.start,
                    row.end,
                    names_of(row.cells[0].text),
                    tuple(zip(row.cells[1:], columns, strict=False)),
                )
                for row in table.rows
            ]
        self._rows |= found


def names_of(text: str) -> tuple[str, ...]:
    """What a row or column that is called `text` may be called in a question: without numbers, signs or gloss too."""
    name = _NUMBERING.sub("", plain_name(text))
    gloss = _GLOSS.fullmatch(name)
    names = (name, gloss["name"], gloss["gloss"]) if gloss else (name,)
    return tuple(one.strip() for one in names if len(one.strip()) >= SHORTEST)


def stands_in(name: str, asked: str) -> bool:
    """Whether a name stands in a question by itself: not as part of a longer word or identifier."""
    at = asked.find(name)
    while at >= 0:
        before, after = asked[at - 1 : at] if at else "", asked[at + len(name) : at + len(name) + 1]
        if not (_joined(before, name[0]) or _joined(after, name[-1])):
            return True
        at = asked.find(name, at + 1)
    return False


def _joined(neighbour: str, edge: str) -> bool:
    """Whether two characters side by side are of one word; between Han characters, words have no borders to see."""
    return bool(neighbour and _PART.match(neighbour) and not HAN_START.match(neighbour) and not HAN_START.match(edge))


def _named(rows: Sequence[_Row], asked: str) -> list[tuple[_Row, list[str]]]:
    """The rows that are asked for, each with all names by which rows of its table are: several of them are compared."""
    found = [(row, [name for name in row.names if stands_in(name, asked)]) for row in rows]
    of_table: dict[int, list[str]] = {}
    for row, names in found:
        of_table.setdefault(row.table, []).extend(names)
    return [(row, of_table[row.table]) for row, names in found if names]


def _weight(row: _Row, names: Sequence[str], bounds: tuple[int, int], asked: str, rarity: Rarity) -> float:
    """What these names of a row, and its columns that are asked for, weigh in the question; 0 outside of `bounds`.

    Where columns have names, the row alone is no answer, for it may be named for anything; unless it is compared with
    another, or nothing else is asked for.
    """
    start, end = bounds
    cells = [columns for cell, columns in row.cells if start <= cell.start and cell.end <= end]
    columns = [name for columns in cells for name in columns if stands_in(name, asked)]
    inside = start <= row.start and row.end <= end
    if not inside and not columns:
        return 0.0
    compared = inside and not set(names) <= set(row.names)
    weight = _said((*names, *columns), rarity)
    if columns or compared or (inside and not row.cells):
        return weight
    return WHOLE * weight if inside and weight > ALONE * sum(each for _, each in rarity) else 0.0


def _said(names: Iterable[str], rarity: Rarity) -> float:
    said = {term for name in names for term in terms(name)}
    return sum(weight for term, weight in rarity if term in said)


def plain_name(text: str) -> str:
    """The text as names are compared: by its letters alone, whatever their case, width or marks."""
    return unicodedata.normalize("NFKC", text).casefold().replace("`", "")
