"""Which cells of a sheet are a table of their own.

Empty rows and columns part tables, but also what belongs to one table: they alone say nothing. What stands below begins
another table if its first row names columns, which a title tells, more than one empty row, columns that were not there,
the same names again, or words in a column where values were, or the other way round.
What stands beside is another table if it goes on where the first has ended, or has its own title or the same names.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Block", "Grid", "Merged", "find_blocks", "within"]

VALUE = re.compile(r"(?:[^\w]|_)*\d[\W\d_]*")  # digits, and no letters
YEAR = re.compile("(?:19|20)[0-9]{2}")  # a number that columns are called by
SUMMARY = 2  # rows below its header that a table beside a longer one has at least

Grid = dict[int, dict[int, str]]  # what stands in each row that is not empty, by column; both count from 1


@dataclass(frozen=True)
class Merged:
    """Cells that are one: the first and last row and column of them."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass
class Block:
    """The rows of a table, in their part of the sheet, and what stands above it in rows of one value each.

    No empty row parts the `title` from it.
    """

    cells: "Cells"
    above: list[str] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    grouped: bool = False  # rows of one value or empty rows part its rows
    columns: set[int] = field(default_factory=set)
    valued: set[int] = field(default_factory=set)  # the columns with values below the header
    worded: set[int] = field(default_factory=set)

    def add(self, rows: Sequence[int]) -> None:
        for row in rows:
            texts = self.cells.texts[row]
            self.columns |= self.cells.filled(row)
            if self.rows:
                values = {column for column, text in texts.items() if _is_value(text)}
                self.valued |= values
                self.worded |= texts.keys() - values
            self.rows.append(row)


class Cells:
    """A part of a sheet, with what merged cells cover of the rows and columns that are not empty."""

    def __init__(self, texts: Grid, merged: Iterable[Merged]) -> None:
        self.texts, self.rows = texts, sorted(texts)
        self.merged = sorted((one for one in merged if one.left in texts.get(one.top, {})), key=_top)
        columns = sorted({column for row in texts.values() for column in row})
        self._covered: dict[int, set[int]] = {}
        self._tall: set[int] = set()
        self._joined: set[int] = set()
        for one in self.merged:
            rows = within(self.rows, one.top, one.bottom)
            self._tall.update(rows if len(rows) > 1 else ())
            self._joined.update(rows[1:])
            for row in rows:
                self._covered.setdefault(row, set()).update(within(columns, one.left, one.right))

    def filled(self, row: int) -> set[int]:
        """The columns in which a row has something, if only a part of merged cells."""
        return self.texts[row].keys() | self._covered.get(row, set())

    def is_joined(self, row: int) -> bool:
        """Whether merged cells of the rows above reach into this one."""
        return row in self._joined

    def is_lone(self, row: int) -> bool:
        """Whether there is one value that belongs to this row alone."""
        return len(self.texts[row]) == 1 and row not in self._tall

    def merged_from(self, rows: Sequence[int]) -> Sequence[Merged]:
        """The merged cells that begin in these rows."""
        return self.merged[bisect_left(self.merged, rows[0], key=_top) : bisect_right(self.merged, rows[-1], key=_top)]

    def parted(self, rows: Sequence[int], columns: Sequence[Sequence[int]]) -> "list[Cells]":
        """What these rows have in each group of columns."""
        place = {column: number for number, group in enumerate(columns) for column in group}
        texts: list[Grid] = [{} for _ in columns]
        merged: list[list[Merged]] = [[] for _ in columns]
        for row in rows:
            for column, text in self.texts[row].items():
                texts[place[column]].setdefault(row, {})[column] = text
        for one in self.merged_from(rows):
            merged[place[one.left]].append(one)
        return list(map(Cells, texts, merged))


def within(places: Sequence[int], first: int, last: int) -> Sequence[int]:
    """Those of the ordered places that are not before the first nor after the last."""
    return places[bisect_left(places, first) : bisect_right(places, last)]


def find_blocks(texts: Grid, merged: Sequence[Merged]) -> list[Block]:
    """The tables of a sheet that is not empty, from top to bottom and, at one height, from left to right."""
    found = []
    for block in _stacked(Cells(texts, merged)):
        parts = _beside(block)
        inner = [block] if len(parts) == 1 else [each for part in parts for each in _stacked(part)]
        if inner[0] is not block:
            inner[0].above[:0] = [*block.above, *block.title]
        found += inner
    return found


def _stacked(cells: Cells) -> list[Block]:
    """The blocks one below the other. Rows of one value belong above the next block, if there is one."""
    blocks: list[Block] = []
    waiting: list[int] = []
    for gap, lead, body in _bands(cells):
        if not body and blocks and not gap:
            blocks[-1].add(lead)
        elif not body:
            waiting += lead
        elif blocks and not _begins(blocks[-1], gap, lead, body):
            blocks[-1].add([*waiting, *lead, *body])
            blocks[-1].grouped |= bool(waiting or lead)
            waiting = []
        else:
            above, title = ([text for row in some for text in cells.texts[row].values()] for some in (waiting, lead))
            blocks.append(Block(cells, above, title))
            blocks[-1].add(body)
            waiting = []
    if not blocks:
        blocks.append(Block(cells))
    blocks[-1].add(waiting)
    return blocks


def _bands(cells: Cells) -> Iterator[tuple[int, list[int], list[int]]]:
    """Rows up to an empty one or the next of a single value, with how many empty rows stand above them.

    Apart come those of a single value that they begin with.
    """
    band: list[int] = []
    gap = 0
    for row in cells.rows:
        empty = row - band[-1] - 1 if band and not cells.is_joined(row) else 0
        if band and (empty or (cells.is_lone(row) and not cells.is_lone(band[-1]))):
            yield gap, *_led(cells, band)
            band, gap = [], empty
        band.append(row)
    yield gap, *_led(cells, band)


def _led(cells: Cells, band: Sequence[int]) -> tuple[list[int], list[int]]:
    first = next((number for number, row in enumerate(band) if not cells.is_lone(row)), len(band))
    return list(band[:first]), list(band[first:])


def _begins(block: Block, gap: int, lead: Sequence[int], body: Sequence[int]) -> bool:
    """Whether rows below a block are another one; `gap` empty rows and `lead` are between."""
    cells = block.cells
    below = Block(cells)
    below.add(body)
    names = cells.texts[body[0]]
    unnamed = below.columns - cells.filled(body[0])
    if len(block.rows) < 2 or len(body) < 2 or len(names) < 2 or unnamed - {min(below.columns)}:
        return False
    words = {column for column, text in names.items() if not _is_value(text)}
    if not all(column in words or YEAR.fullmatch(text) for column, text in names.items()):
        return False
    return (
        gap > 1
        or bool(gap and lead and not block.grouped)
        or not below.columns <= block.columns
        or names == cells.texts[block.rows[0]]
        or bool(words & (block.valued - block.worded))
        or bool(words & (below.valued - below.worded) - block.valued)
    )


def _beside(block: Block) -> list[Cells]:
    """The parts of a block that are tables beside each other, which empty columns part."""
    cells = block.cells
    groups = _runs(sorted(block.columns), cells.merged_from(block.rows))
    place = {column: number for number, group in enumerate(groups) for column in group}
    rows: list[set[int]] = [set() for _ in groups]
    count = [0] * len(groups)
    for row in block.rows:
        for column in cells.filled(row):
            rows[place[column]].add(row)
            count[place[column]] += 1
    parts, reached = [groups[0]], set(rows[0])
    for group, there, filled in zip(groups[1:], rows[1:], count[1:], strict=True):
        left = parts[-1]
        short = SUMMARY < len(there) < len(block.rows) and max(there) == block.rows[len(there) - 1]
        if min(len(left), len(group)) > 1 and (
            there - reached
            or (short and filled == len(there) * len(group))
            or _named_apart(cells, block.rows, left[0], group[0])
        ):
            parts.append(group)
            reached = set(there)
        else:
            left += group
            reached |= there
    return [cells] if len(parts) == 1 else cells.parted(block.rows, parts)


def _named_apart(cells: Cells, rows: Sequence[int], left: int, right: int) -> bool:
    """Whether there are the same names at two columns, or titles above names."""
    first = cells.texts[rows[0]]
    if first.keys() == {left, right}:
        return len(rows) > 1 and {left, right} < cells.texts[rows[1]].keys()
    return left in first and first[left] == first.get(right)


def _runs(columns: Sequence[int], merged: Sequence[Merged]) -> list[list[int]]:
    """The columns that stand side by side, or that merged cells join."""
    joined = {column for one in merged for column in within(columns, one.left, one.right)[1:]}
    runs = [[columns[0]]]
    for before, column in pairwise(columns):
        if column == before + 1 or column in joined:
            runs[-1].append(column)
        else:
            runs.append([column])
    return runs


def _top(merged: Merged) -> int:
    return merged.top


def _is_value(text: str) -> bool:
    """Whether it is a number, a date or a time rather than words."""
    return VALUE.fullmatch(text) is not None
