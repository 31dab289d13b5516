"""The lines that restoring changed, before and after, with what was inferred in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import chop_cells
from rich.console import Console
from rich.text import Text

from api.changes import ChangedLine
from api.render import DOUBTFUL, print_line, rounded_down, visible
from kb.records import Repair

SURE = 0.99


@dataclass(frozen=True)
class Level:
    """How inferred characters of one level of confidence look: a style, or a mark where there are no colours."""

    style: str
    mark: str
    meaning: str


def show_changes(
    console: Console, name: str, damage: Sequence[str], lines: Sequence[ChangedLine], *, threshold: float
) -> None:
    """Every changed line as it was and as it is, and under it the other readings of what is doubtful in it."""
    print_line(console, Text.assemble((visible(name), "bold"), (f"  {', '.join(damage)}", "yellow")))
    width = len(str(lines[-1].number)) if lines else 0
    for line in lines:
        number = str(line.number).rjust(width)
        _print_row(console, _lead(number, "-", "red"), Text(_shown(line.before), "dim"))
        _print_row(console, _lead(number, "+", "green"), _restored(console, line, threshold))
        doubtful = [repair for repair in line.inferred if repair.confidence < threshold]
        if doubtful:
            _print_row(console, _lead(number, "?", DOUBTFUL), _other_readings(doubtful))


def show_legend(console: Console, threshold: float) -> None:
    levels = _levels(threshold)
    legend = Text("Inferred characters: ")
    for level in levels if threshold < SURE else (levels[0], levels[-1]):
        legend.append_text(_inferred(console, "字", level)).append(f" {level.meaning}   ")
    legend.rstrip()
    console.print(legend)


def _levels(threshold: float) -> tuple[Level, Level, Level]:
    return (
        Level("green", "", f"{max(SURE, threshold):g} or surer"),
        Level("yellow", "~", f"{threshold:g} or surer"),
        Level(DOUBTFUL, "?", f"doubtful: below {threshold:g}"),
    )


def _level(confidence: float, threshold: float) -> Level:
    sure, likely, doubtful = _levels(threshold)
    if confidence < threshold:
        return doubtful
    return sure if confidence >= SURE else likely


def _lead(number: str, sign: str, style: str) -> Text:
    return Text.assemble((number, "dim"), (f" {sign} ", style))


def _restored(console: Console, line: ChangedLine, threshold: float) -> Text:
    after = _shown(line.after)
    shown, at = Text(), 0
    for repair in line.inferred:
        shown.append(after[at : repair.start])
        level = _level(repair.confidence, threshold)
        shown.append_text(_inferred(console, after[repair.start : repair.end], level))
        at = repair.end
    return shown.append(after[at:])


def _inferred(console: Console, characters: str, level: Level) -> Text:
    if console.color_system is None or console.no_color:
        return Text(f"⟨{characters}{level.mark}⟩")
    return Text(characters, level.style)


def _other_readings(doubtful: Sequence[Repair]) -> Text:
    readings = (
        Text.assemble(
            (visible(repair.after), DOUBTFUL),
            f" {rounded_down(repair.confidence):.2f}",
            f" or {' '.join(map(visible, repair.alternatives))}" if repair.alternatives else "",
        )
        for repair in doubtful
    )
    return Text("; ").join(readings)


def _shown(text: str) -> str:
    return visible(text.removesuffix("\r"))


def _print_row(console: Console, lead: Text, body: Text) -> None:
    """On a terminal, long text goes on under its own beginning; it breaks anywhere, as Chinese does."""
    body.expand_tabs()
    rows = [body]
    if console.is_terminal:
        ends, end = [], 0
        for part in chop_cells(body.plain, max(1, console.width - lead.cell_len)):
            end += len(part)
            ends.append(end)
        rows = list(body.divide(ends[:-1]))
    for row in rows:
        print_line(console, lead + row)
        lead = Text(" " * lead.cell_len)
