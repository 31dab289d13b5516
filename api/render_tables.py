"""Tables as people read them in a terminal."""

from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.render import print_line, visible
from api.schemas_tables import RowOut, TableList, TableOut

# A column that is narrower than this, or than its longest word up to a limit, makes its text hard to read: where not
# all columns can have that much, a table is shown row by row.
NARROWEST, LONGEST_WORD = 10, 18


def show_tables(console: Console, reply: TableList) -> None:
    if not reply.tables:
        print_line(console, "No tables. `guide ingest` takes documents in.")
    widest = max((len(table.id) for table in reply.tables), default=0)
    for source, tables in groupby(reply.tables, key=lambda table: table.source):
        print_line(console, visible(source), style="bold")
        for table in tables:
            size = f"{len(table.rows)}×{len(table.columns)}"
            print_line(
                console, Text.assemble((f"  {table.id:<{widest}}", "cyan"), f"  {size:>6}  {visible(table.title)}")
            )


def show_table(console: Console, reply: TableOut) -> None:
    first, last = reply.lines
    print_line(console, visible(reply.title), style="bold")
    print_line(console, f"{visible(reply.source)}:{first}-{last}  {visible(' › '.join(reply.section))}", style="dim")
    least = [_least_width(reply, number) for number in range(len(reply.columns))]
    if sum(least) + 2 * (len(least) - 1) > console.width:
        for row in reply.rows:
            _show_row(console, reply, row)
        return
    long = any(cell_len(cell) > console.width for row in reply.rows for cell in row.cells)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", leading=int(long))
    for name, width in zip(reply.columns, least, strict=True):
        table.add_column(Text(visible(name)), overflow="fold", min_width=width)
    for row in reply.rows:
        table.add_row(*(Text(visible(cell)) for cell in row.cells))
    console.print(table)


def _show_row(console: Console, reply: TableOut, row: RowOut) -> None:
    subject, *said = row.cells
    print_line(console, f"\n{visible(subject)}", style="bold")
    for name, cell in zip(reply.columns[1:], said, strict=True):
        if cell:
            print_line(console, Text.assemble((f"  {visible(name)}  ", "cyan"), visible(cell)))


def _least_width(reply: TableOut, column: int) -> int:
    texts = [reply.columns[column], *(row.cells[column] for row in reply.rows)]
    words = [cell_len(word) for text in texts for word in text.split() if word.isascii()]
    return min(max(map(cell_len, texts)), max(NARROWEST, min(LONGEST_WORD, max(words, default=0))))
