"""Workbooks of Excel (.xlsx): each sheet a heading and a table, its values as a person writes them."""

import io
import re
import warnings
import zipfile
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from ingest.formats_markdown import markdown_table, on_one_line, paragraph
from kb.errors import InputError

__all__ = ["workbook_text"]

MOST_ROWS = 1_048_576  # of a sheet, in Excel
MOST_CELLS = 2_000_000  # of a sheet's table, with the empty ones
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
RETURN = "_x000D_"  # as it is written beside a line's end
ZEROS = re.compile("00+")  # the format of numbers that are written with as many digits
MOST_HEADERS = 5  # rows
MOST_PLACES = 100_000_000  # up to the last cell of each row, which take some seconds
PLAIN = 1e21  # whole numbers below are written without an exponent

Grid = dict[int, dict[int, str]]  # what stands in each row that is not empty, by column; both count from 1


@dataclass(frozen=True)
class Merged:
    """Cells that are one: the first and last row and column of them."""

    top: int
    bottom: int
    left: int
    right: int


def workbook_text(archive: zipfile.ZipFile, data: bytes) -> str:
    """The sheets that are not hidden and not empty, as Markdown. What a formula gave is read, not the formula.

    Raises:
        InputError: a sheet is too large.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they tell what would be lost if the workbook were written again
        book = _opened(data)
        try:
            shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            tables = [(sheet.title, _sheet_text(sheet, archive)) for sheet in shown]
        finally:
            book.close()
    return "\n\n".join(f"# {on_one_line(title)}\n\n{text}" for title, text in tables if text)


def _opened(data: bytes) -> Any:
    from openpyxl import load_workbook

    try:
        return load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except ValueError as problem:
        raise ValueError(str(problem.__cause__ or problem)) from problem  # the cause is what says something


def _sheet_text(sheet: Any, archive: zipfile.ZipFile) -> str:
    """Lines above the table that fill one cell each, as paragraphs; then the table, under one line of headers."""
    grid = _grid(sheet)
    rows = sorted(grid)
    columns = sorted({column for row in grid.values() for column in row})
    if len(rows) * len(columns) > MOST_CELLS:
        size = f"{len(rows):,} rows by {len(columns):,} columns"
        raise InputError(f"its sheet {sheet.title} has {size}, more than {MOST_CELLS:,} cells. Split it.")
    part = archive.read(sheet._worksheet_path)  # noqa: SLF001 - openpyxl has merged cells only where it has all at once
    merged = _merged(part, rows, columns)
    leading = _leading(grid, rows) if len(columns) > 1 else 0
    above, below = rows[:leading], rows[leading:]
    depth = _header_depth(grid, below, columns, merged)
    _fill_down(grid, rows, merged)
    header = _header(grid, below[:depth], columns, merged)
    table = markdown_table([header, *([grid[row].get(column, "") for column in columns] for row in below[depth:])])
    return "\n\n".join([*(paragraph(text) for row in above for text in grid[row].values()), *filter(None, [table])])


def _grid(sheet: Any) -> Grid:
    sheet.reset_dimensions()  # a file may claim any
    grid: Grid = {}
    places = 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        if number > MOST_ROWS:
            raise InputError(f"its sheet {sheet.title} has more than {MOST_ROWS:,} rows. Split it.")
        places += len(row)
        if places > MOST_PLACES:
            raise InputError(
                f"its sheet {sheet.title} has a cell far to the right in too many rows. Delete those cells."
            )
        written = {column: text for column, cell in enumerate(row, 1) if (text := _written(cell))}
        if written:
            grid[number] = written
    return grid


def _merged(sheet: bytes, rows: Sequence[int], columns: Sequence[int]) -> list[Merged]:
    """The merged cells that a sheet's XML names.

    Raises:
        InputError: they hold more cells than there are.
    """
    from openpyxl.utils import range_boundaries

    merged, room = [], len(rows) * len(columns)
    for found in MERGED.findall(sheet):
        left, top, right, bottom = range_boundaries(found.decode())
        room -= len(_within(rows, top, bottom)) * len(_within(columns, left, right))
        merged.append(Merged(top, bottom, left, right))
    if room < 0:
        raise InputError("its merged cells lie over each other. Save it again in Excel or LibreOffice.")
    return merged


def _within(places: Sequence[int], first: int, last: int) -> Sequence[int]:
    return places[bisect_left(places, first) : bisect_right(places, last)]


def _leading(grid: Grid, rows: Sequence[int]) -> int:
    """How many rows stand above the table: those with one value, before the first with more."""
    return next((number for number, row in enumerate(rows) if len(grid[row]) > 1), 0)


def _header_depth(grid: Grid, rows: Sequence[int], columns: Sequence[int], merged: Sequence[Merged]) -> int:
    """How many rows name the columns: one, and each that has words below cells over several columns alone."""
    depth = 1
    while depth < min(len(rows) - 1, MOST_HEADERS):
        wide = [cells for cells in merged if cells.right > cells.left and cells.top <= rows[depth - 1] <= cells.bottom]
        below = {column for cells in wide for column in _within(columns, cells.left, cells.right)}
        if not below.issuperset(grid[rows[depth]]):
            break
        depth += 1
    return depth


def _fill_down(grid: Grid, rows: Sequence[int], merged: Sequence[Merged]) -> None:
    """Puts what merged cells hold into each of their rows."""
    for cells in merged:
        if text := grid.get(cells.top, {}).get(cells.left):
            for row in _within(rows, cells.top, cells.bottom):
                grid[row][cells.left] = text


def _header(grid: Grid, rows: Sequence[int], columns: Sequence[int], merged: Sequence[Merged]) -> list[str]:
    """What each column is called: the rows' words from the top down, also from cells over several columns."""
    named = {row: dict(grid[row]) for row in rows}
    for cells in merged:
        if cells.top in named and (text := grid[cells.top].get(cells.left)):
            for row in _within(rows, cells.top, cells.bottom):
                named[row].update(dict.fromkeys(_within(columns, cells.left, cells.right), text))
    return [" ".join(dict.fromkeys(filter(None, (named[row].get(column) for row in rows)))) for column in columns]


def _written(cell: Any) -> str:
    """A cell's value as a person writes it: dates and times by ISO 8601, numbers without what binary fractions add."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number(value, str(cell.number_format))
    if isinstance(value, datetime | time | timedelta):
        return _moment(value)
    return str(value).replace(RETURN, "").strip()


def _moment(value: datetime | time | timedelta) -> str:
    """A day without a time at midnight, a time without seconds where there are none."""
    if isinstance(value, datetime):
        text = value.isoformat(" ", "seconds").removesuffix(" 00:00:00")
    elif isinstance(value, time):
        text = value.isoformat("seconds")
    else:
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        text = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return text[:-3] if text.endswith(":00") and text.count(":") > 1 else text


def _number(value: float, number_format: str) -> str:
    if "%" in number_format:
        return f"{value * 100:.12g}%"
    if ZEROS.fullmatch(number_format) and value >= 0:
        return f"{value:.0f}".zfill(len(number_format))
    if abs(value) < PLAIN and value == int(value):
        return str(int(value))
    return str(value) if isinstance(value, int) else f"{value:.15g}"
