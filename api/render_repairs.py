"""What was restored, as people read it in a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.render import DOUBTFUL, print_line, visible
from api.schemas_repairs import DocumentOut, RepairedOut, RepairReport


def show_repairs(console: Console, reply: DocumentOut) -> None:
    """A line for each inferred stretch, with the line where it stands; doubtful ones stand out."""
    place, counted = 1, 0
    for repair in reply.repairs:
        place += reply.text.count("\n", counted, repair.start)
        counted = repair.start
        line = Text(f"{visible(reply.name)}:{place}")
        line.append(f"  {visible(repair.before)} → {visible(repair.after)}  {repair.confidence:.3f}")
        if repair.doubtful:
            line.append("  doubtful", DOUBTFUL)
        if repair.alternatives:
            line.append(f"  (or {', '.join(map(visible, repair.alternatives))})")
        print_line(console, line)
    if not reply.repairs:
        print_line(console, f"{reply.name}: nothing was inferred.")


def show_outcome(console: Console, name: str, document: RepairedOut, threshold: float, *, hint: str) -> None:
    """What became of a single document, in one line; `hint` tells where to see what is doubtful."""
    damage = f"mojibake undone ({', '.join(document.damage)})" if document.damage else "nothing to restore"
    line = Text.assemble((visible(name), "bold"), f": {damage}")
    if document.short_of_bytes:
        line.append(f"; {_count(document.short_of_bytes, 'character')} had lost bytes: {document.restored:,} restored")
        if document.doubtful:
            line.append(", ").append(f"{document.doubtful:,} of them doubtful (below {threshold:g}{hint})", DOUBTFUL)
        if document.lost:
            line.append(", ").append(f"{document.lost:,} lost for good", DOUBTFUL)
    console.print(line.append("."))


def show_outcomes(console: Console, names: Sequence[str], report: RepairReport) -> None:
    """A table of the documents that had lost anything or were damaged, and what there is in all of them."""
    total = report.total
    table = Table(box=SIMPLE_HEAD, show_footer=True, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("document", footer=f"{total.damaged:,} of {total.documents:,} damaged", overflow="fold")
    table.add_column("damage", overflow="fold")
    for heading, count in (
        ("lost bytes", total.short_of_bytes),
        ("restored", total.restored),
        ("doubtful", total.doubtful),
        ("lost", total.lost),
    ):
        table.add_column(heading, footer=f"{count:,}", justify="right")
    for name, document in zip(names, report.documents, strict=True):
        if document.damage or document.lost:
            table.add_row(
                Text(visible(name), "cyan"),
                ", ".join(document.damage),
                f"{document.short_of_bytes:,}",
                f"{document.restored:,}",
                Text(f"{document.doubtful:,}", DOUBTFUL if document.doubtful else ""),
                Text(f"{document.lost:,}", DOUBTFUL if document.lost else ""),
            )
    if table.row_count:
        console.print(table)
    elif total.documents:
        print_line(console, f"{_count(total.documents, 'document')}: nothing to restore.")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
