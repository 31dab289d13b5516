"""The cells of a sheet as Markdown: its tables, each under one line of headers, and what stands above them."""

from collections.abc import Sequence

from ingest.formats_blocks import Block, Grid, Merged, find_blocks, within
from ingest.formats_markdown import markdown_table, on_one_line, paragraph

__all__ = ["sheet_text"]

MOST_HEADERS = 5  # rows


def sheet_text(grid: Grid, merged: Sequence[Merged] = ()) -> str:
    """The tables, with a heading each if there are several and all but the first have a title of their own."""
    if not grid:
        return ""
    blocks = find_blocks(grid, merged)
    headed = len(blocks) > 1 and all(block.title for block in blocks[1:])
    return "\n\n".join(text for block in blocks for text in _block_texts(block, headed=headed) if text)


def _block_texts(block: Block, *, headed: bool) -> list[str]:
    above, title = list(map(paragraph, block.above)), list(map(paragraph, block.title))
    if headed and title:
        title[0] = f"## {on_one_line(block.title[0])}"
    grid, rows, merged = block.cells.texts, block.rows, block.cells.merged_from(block.rows)
    columns = sorted({column for row in rows for column in grid[row]})
    depth = _header_depth(grid, rows, columns, merged)
    _fill_down(grid, rows, merged)
    header = _header(grid, rows[:depth], columns, merged)
    table = markdown_table([header, *([grid[row].get(column, "") for column in columns] for row in rows[depth:])])
    return [*above, *title, table]


def _header_depth(grid: Grid, rows: Sequence[int], columns: Sequence[int], merged: Sequence[Merged]) -> int:
    """How many rows name the columns: one, and each that has words below cells over several columns alone."""
    depth = 1
    while depth < min(len(rows) - 1, MOST_HEADERS):
        wide = [cells for cells in merged if cells.right > cells.left and cells.top <= rows[depth - 1] <= cells.bottom]
        below = {column for cells in wide for column in within(columns, cells.left, cells.right)}
        if not below.issuperset(grid[rows[depth]]):
            break
        depth += 1
    return depth


def _fill_down(grid: Grid, rows: Sequence[int], merged: Sequence[Merged]) -> None:
    """Puts what merged cells hold into each of their rows."""
    for cells in merged:
        if text := grid.get(cells.top, {}).get(cells.left):
            for row in within(rows, cells.top, cells.bottom):
                grid[row][cells.left] = text


def _header(grid: Grid, rows: Sequence[int], columns: Sequence[int], merged: Sequence[Merged]) -> list[str]:
    """What each column is called: the rows' words from the top down, also from cells over several columns."""
    named = {row: dict(grid[row]) for row in rows}
    for cells in merged:
        if cells.top in named and (text := grid[cells.top].get(cells.left)):
            for row in within(rows, cells.top, cells.bottom):
                named[row].update(dict.fromkeys(within(columns, cells.left, cells.right), text))
    return [" ".join(dict.fromkeys(filter(None, (named[row].get(column) for row in rows)))) for column in columns]
