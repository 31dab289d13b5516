"""Workbooks of Excel (.xlsx): each sheet a heading and its tables, their values as a person writes them."""

import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from ingest.formats_blocks import Grid, Merged, within
from ingest.formats_markdown import on_one_line
from ingest.formats_sheet import sheet_text
from kb.errors import InputError

__all__ = ["workbook_text"]

MOST_ROWS = 1_048_576  # of a sheet, in Excel
MOST_CELLS = 2_000_000  # of a sheet, with the empty ones
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
RETURN = "_x000D_"  # as it is written beside a line's end
ZEROS = re.compile("00+")  # the format of numbers that are written with as many digits
MOST_PLACES = 100_000_000  # up to the last cell of each row, which take some seconds
PLAIN = 1e21  # whole numbers below are written without an exponent


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
    grid = _grid(sheet)
    rows = sorted(grid)
    columns = sorted({column for row in grid.values() for column in row})
    if len(rows) * len(columns) > MOST_CELLS:
        size = f"{len(rows):,} rows by {len(columns):,} columns"
        raise InputError(f"its sheet {sheet.title} has {size}, more than {MOST_CELLS:,} cells. Split it.")
    part = archive.read(sheet._worksheet_path)  # noqa: SLF001 - openpyxl has merged cells only where it has all at once
    return sheet_text(grid, _merged(part, rows, columns))


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
        room -= len(within(rows, top, bottom)) * len(within(columns, left, right))
        merged.append(Merged(top, bottom, left, right))
    if room < 0:
        raise InputError("its merged cells lie over each other. Save it again in Excel or LibreOffice.")
    return merged


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
