"""What was restored, as people read it in a terminal."""

from rich.console import Console
from rich.text import Text

from api.render import DOUBTFUL, print_line, visible
from api.schemas_repairs import DocumentOut


def show_repairs(console: Console, reply: DocumentOut) -> None:
    """A line for each inferred stretch, with the line where it stands; doubtful ones stand out."""
    for repair in reply.repairs:
        place = reply.text.count("\n", 0, repair.start) + 1
        line = Text(f"{visible(reply.name)}:{place}")
        line.append(f"  {visible(repair.before)} → {visible(repair.after)}  {repair.confidence:.3f}")
        if repair.doubtful:
            line.append("  doubtful", DOUBTFUL)
        if repair.alternatives:
            line.append(f"  (or {', '.join(map(visible, repair.alternatives))})")
        print_line(console, line)
    if not reply.repairs:
        print_line(console, f"{reply.name}: nothing was inferred.")
