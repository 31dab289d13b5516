"""What an adapter changed, as people read it in a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from api.messages import say
from api.render import print_line, show_comparison, visible
from api.schemas import CompareReply
from api.schemas_probes import ProbedCompareReply, ProbingOut
from kb.language import language_of


def show_compared(console: Console, reply: CompareReply, *, threshold: float) -> None:
    """The answers side by side, and below them the probes if there are any."""
    show_comparison(console, reply, threshold=threshold)
    if isinstance(reply, ProbedCompareReply):
        _show_probing(console, reply.probing, reply.question)


def _show_probing(console: Console, probing: ProbingOut, question: str) -> None:
    language = language_of(question)
    share = "" if probing.share is None else f" · {probing.share:.2%}"
    print_line(console, f"\n{say('probing', language)}: {visible(probing.adapter)}{share}", style="bold")
    table = Table(box=SIMPLE_HEAD)
    for heading in ("", "probes", "loss", "recalled"):
        table.add_column(say(heading, language) if heading else "", justify="left" if not heading else "right")
    for summary in probing.summaries:
        (base, adapted), (before, after) = summary.loss, summary.recalled
        losses, recalls = f"{base:.2f} → {adapted:.2f}", f"{before:.0%} → {after:.0%}"
        table.add_row(say(summary.kind, language), str(summary.probes), losses, recalls)
    console.print(table)
