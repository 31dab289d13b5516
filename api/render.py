"""Replies as people read them in a terminal."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from api.messages import say
from api.schemas import (
    AskReply,
    CitationOut,
    CompareReply,
    DocumentList,
    DocumentRow,
    IngestedOut,
    PassageOut,
    SearchReply,
    VariantOut,
)
from kb.entries import readable
from kb.language import Language, language_of
from kb.records import Answer

if TYPE_CHECKING:
    from rag.asking import AnswerStream

SIDE_BY_SIDE_COLUMNS = 120
UNLIMITED = 1_000_000
INDENT = "    "
NEAR, FEW = 0.15, 3  # how probable an answer must be for the nearest passages to be told in its place, and how many
DOUBTFUL = "bold red"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def open_console(*, stderr: bool = False) -> Console:
    """Standard output, or stderr; what is printed there is never cut or wrapped where it is no terminal."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def show_passages(console: Console, reply: SearchReply) -> None:
    language = language_of(reply.question)
    _show_understood(console, reply)
    if not reply.passages:
        print_line(console, say("nothing_found", language))
    for passage in reply.passages:
        first, last = passage.lines
        place = f"{passage.source}:{first}" if first == last else f"{passage.source}:{first}-{last}"
        if passage.pages is not None:
            place = f"{passage.source} · {_place(passage, language)}"
        trail = f"  {_trail(passage.section)}" if passage.section else ""
        heading = Text.assemble((f"{passage.rank:>2}. ", "bold"), (visible(place), "cyan"), trail)
        heading.append(f"  {passage.score:.4f}", "dim")
        print_line(console, heading)
        print_line(console, _indented(readable(passage.text)), end="\n\n")


def show_answer(console: Console, reply: AskReply, *, threshold: float) -> None:
    print_line(console, visible(reply.answer))
    show_sources(console, reply, threshold=threshold)


def show_stream(console: Console, stream: "AnswerStream", *, threshold: float) -> Answer:
    """The answer as it is written, then its sources."""
    for piece in stream:
        print_line(console, visible(piece), end="")
    print_line(console, "")
    show_sources(console, AskReply.of(stream.answer), threshold=threshold)
    return stream.answer


def show_sources(console: Console, reply: AskReply, *, threshold: float) -> None:
    language = language_of(reply.question)
    _show_understood(console, reply)
    if reply.citations:
        print_line(console, f"\n{say('sources', language)}", style="bold")
        for citation in reply.citations:
            print_line(console, _source(citation, language, threshold))
    elif reply.passages and reply.answerable is not None and reply.answerable >= NEAR:
        print_line(console, f"\n{say('nearest', language)}", style="bold")
        for passage in reply.passages[:FEW]:
            place = (visible(passage.source), _place(passage, language), _trail(passage.section))
            print_line(console, " · ".join(filter(None, place)))


def _show_understood(console: Console, reply: SearchReply | AskReply) -> None:
    if reply.understood and reply.understood != reply.question:
        understood = say("understood", language_of(reply.question), question=visible(reply.understood))
        print_line(console, understood, style="dim")


def show_comparison(console: Console, reply: CompareReply, *, threshold: float) -> None:
    """Four columns where a terminal is wide enough for them, else one answer after another."""
    language = language_of(reply.question)
    if console.is_terminal and console.width >= SIDE_BY_SIDE_COLUMNS:
        grid = Table.grid(expand=True)
        for _ in reply.answers:
            grid.add_column(ratio=1, overflow="fold")
        grid.add_row(*(_panel(variant, language, threshold) for variant in reply.answers))
        console.print(grid)
        return
    for variant in reply.answers:
        print_line(console, f"── {say(variant.variant, language)} · {_measures(variant, language)}", style="bold")
        print_line(console, visible(variant.answer))
        for citation in variant.citations:
            print_line(console, _source(citation, language, threshold))
        print_line(console, "")


def show_ingested(console: Console, reply: IngestedOut) -> None:
    new = reply.status in {"added", "changed"}
    line = Text.assemble((f"{reply.status:<10}", "green" if new else "dim"), visible(reply.name))
    if new:
        line.append(f"  {_counted(reply.passages, 'passage')}").append(_restored(reply), "yellow")
    print_line(console, line)


def show_documents(console: Console, reply: DocumentList) -> None:
    if not reply.documents:
        print_line(console, "No documents. `guide ingest` takes some in.")
        return
    widest = max(cell_len(visible(document.name)) for document in reply.documents)
    for document in reply.documents:
        line = Text.assemble((set_cell_size(visible(document.name), widest), "cyan"))
        passages = _counted(document.passages, "passage")
        line.append(f"  {document.chars:>9,} characters, {passages}, {document.encoding}")
        print_line(console, line.append(_restored(document), "yellow"))


def _restored(known: IngestedOut | DocumentRow) -> str:
    if not known.damage:
        return ""
    return f", mojibake restored ({', '.join(known.damage)}), {_counted(known.repairs, 'place')} inferred"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _panel(variant: VariantOut, language: Language, threshold: float) -> RenderableType:
    sources = [Text("\n", "dim").append(_source(citation, language, threshold)) for citation in variant.citations]
    body = Group(Text(visible(variant.answer)), *sources)
    return Panel(body, title=say(variant.variant, language), subtitle=_measures(variant, language))


def _measures(variant: VariantOut, language: Language) -> str:
    cost = say("cost", language, seconds=variant.seconds, tokens=variant.tokens)
    return f"{say('grounded', language, share=variant.grounded)} · {cost}"


def _source(citation: CitationOut, language: Language, threshold: float) -> Text:
    """Where a quote stands; inferred characters in it are told, and those less sure than `threshold` stand out."""
    place = (visible(citation.source), _place(citation, language), _trail(citation.section))
    source = Text(f"[{citation.n}] {' · '.join(filter(None, place))}")
    if citation.restored is not None:
        doubtful = citation.restored < threshold
        mark = say("doubtful" if doubtful else "restored", language, confidence=rounded_down(citation.restored))
        source.append(" · ").append(mark, DOUBTFUL if doubtful else None)
    return source


def _place(found: PassageOut | CitationOut, language: Language) -> str:
    """The pages in a document that has some, else the lines."""
    kind, (first, last) = ("line", found.lines) if found.pages is None else ("page", found.pages)
    return say(kind if first == last else f"{kind}s", language, first=first, last=last)


def _trail(section: Sequence[str]) -> str:
    return visible(" › ".join(section))


def _indented(text: str) -> str:
    return INDENT + visible(text).replace("\n", f"\n{INDENT}")


def rounded_down(confidence: float) -> float:
    """To two digits: only certainty is 1.00."""
    return math.floor(100 * confidence) / 100


def visible(text: str) -> str:
    """The text with its terminal controls shown as U+FFFD, so that no document can steer a terminal."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def print_line(console: Console, text: str | Text, *, style: str | None = None, end: str = "\n") -> None:
    console.print(text, style=style, end=end, soft_wrap=True)
