"""Replies as people read them in a terminal."""

import math
import re
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from api.messages import Language, language_of, say
from api.schemas import (
    AskReply,
    CitationOut,
    CompareReply,
    DocumentList,
    DocumentOut,
    DocumentRow,
    IngestedOut,
    SearchReply,
    VariantOut,
)

SIDE_BY_SIDE_COLUMNS = 120
INDENT = "    "
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def open_console() -> Console:
    """Standard output; what is printed there is never cut or wrapped where it is no terminal."""
    return Console(highlight=False, markup=False, emoji=False)


def show_passages(console: Console, reply: SearchReply) -> None:
    language = language_of(reply.question)
    if not reply.passages:
        _line(console, say("nothing_found", language))
    for passage in reply.passages:
        first, last = passage.lines
        place = f"{passage.source}:{first}" if first == last else f"{passage.source}:{first}-{last}"
        heading = Text.assemble(
            (f"{passage.rank:>2}. ", "bold"), (_visible(place), "cyan"), f"  {_trail(passage.section)}  "
        )
        heading.append(f"{passage.score:.4f}", "dim")
        _line(console, heading)
        _line(console, _indented(passage.text), end="\n\n")


def show_answer(console: Console, reply: AskReply) -> None:
    language = language_of(reply.question)
    _line(console, _visible(reply.answer))
    if reply.citations:
        _line(console, f"\n{say('sources', language)}", style="bold")
        for citation in reply.citations:
            _line(console, _source(citation, language))


def show_comparison(console: Console, reply: CompareReply) -> None:
    """Four columns where a terminal is wide enough for them, else one answer after another."""
    language = language_of(reply.question)
    if console.is_terminal and console.width >= SIDE_BY_SIDE_COLUMNS:
        grid = Table.grid(expand=True)
        for _ in reply.answers:
            grid.add_column(ratio=1, overflow="fold")
        grid.add_row(*(_panel(variant, language) for variant in reply.answers))
        console.print(grid)
        return
    for variant in reply.answers:
        _line(console, f"── {say(variant.variant, language)} · {_measures(variant, language)}", style="bold")
        _line(console, _visible(variant.answer))
        for citation in variant.citations:
            _line(console, _source(citation, language))
        _line(console, "")


def show_ingested(console: Console, reply: IngestedOut) -> None:
    new = reply.status in {"added", "changed"}
    line = Text.assemble((f"{reply.status:<10}", "green" if new else "dim"), _visible(reply.name))
    if new:
        line.append(f"  {reply.passages} passages").append(_restored(reply), "yellow")
    _line(console, line)


def show_documents(console: Console, reply: DocumentList) -> None:
    if not reply.documents:
        _line(console, "No documents. `guide ingest` takes some in.")
        return
    widest = max(len(document.name) for document in reply.documents)
    for document in reply.documents:
        line = Text.assemble((_visible(document.name).ljust(widest), "cyan"))
        line.append(f"  {document.chars:>9,} characters, {document.passages} passages, {document.encoding}")
        _line(console, line.append(_restored(document), "yellow"))


def show_repairs(console: Console, reply: DocumentOut) -> None:
    for repair in reply.repairs:
        line = reply.text.count("\n", 0, repair.start) + 1
        others = f"  (or {', '.join(map(_visible, repair.alternatives))})" if repair.alternatives else ""
        change = f"{_visible(repair.before)} → {_visible(repair.after)}"
        _line(console, f"{reply.name}:{line}  {change}  {repair.confidence:.3f}{others}")
    if not reply.repairs:
        _line(console, f"{reply.name}: nothing was inferred.")


def _restored(known: IngestedOut | DocumentRow) -> str:
    if not known.damage:
        return ""
    return f", mojibake restored ({', '.join(known.damage)}), {known.repairs} places inferred"


def _panel(variant: VariantOut, language: Language) -> RenderableType:
    sources = [Text(f"\n{_source(citation, language)}", "dim") for citation in variant.citations]
    body = Group(Text(_visible(variant.answer)), *sources)
    return Panel(body, title=say(variant.variant, language), subtitle=_measures(variant, language))


def _measures(variant: VariantOut, language: Language) -> str:
    cost = say("cost", language, seconds=variant.seconds, tokens=variant.tokens)
    return f"{say('grounded', language, share=variant.grounded)} · {cost}"


def _source(citation: CitationOut, language: Language) -> str:
    first, last = citation.lines
    lines = say("line" if first == last else "lines", language, first=first, last=last)
    mark = ""
    if citation.restored is not None:  # rounded down: only certainty is 1.00
        mark = f" · {say('restored', language, confidence=math.floor(100 * citation.restored) / 100)}"
    return f"[{citation.n}] {_visible(citation.source)} · {lines} · {_trail(citation.section)}{mark}"


def _trail(section: Sequence[str]) -> str:
    return _visible(" › ".join(section))


def _indented(text: str) -> str:
    return INDENT + _visible(text).replace("\n", f"\n{INDENT}")


def _visible(text: str) -> str:
    """The text with its terminal controls shown as U+FFFD, so that no document can steer a terminal."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _line(console: Console, text: str | Text, *, style: str | None = None, end: str = "\n") -> None:
    console.print(text, style=style, end=end, soft_wrap=True)
