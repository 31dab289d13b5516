"""`guide repair`: mojibake restored, without touching the knowledge base."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.options import BadUse, complain, with_settings
from ingest.files import TEXTS
from kb.files import write_file

if TYPE_CHECKING:
    from api.repairing import Outcomes
    from api.schemas_repairs import RepairReport
    from kb.settings import Settings


@with_settings("repair_threshold")
def repair(
    paths: Annotated[
        list[Path],
        typer.Argument(help=f"Files, or folders of texts ({' '.join(TEXTS)}); `-` is standard input."),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Where to write: a file for a file, a folder for a folder, same names."),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changes instead of printing the text.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write every repair, with its confidence, as JSON here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print that report; needs --out.")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that share a folder; one a core unless set.")
    ] = None,
    settings: "Settings",
) -> None:
    """Restore what mojibake destroyed; a single file is printed unless --out or --diff is given."""
    single = len(paths) == 1 and not paths[0].is_dir()
    _check_use(paths, single=single, out=out, diff=diff, as_json=as_json)
    from api.repairing import Wanted, find_targets, repair_targets
    from api.schemas_repairs import RepairReport

    targets = find_targets(paths, out, report)
    printed = out is None and not diff
    wanted = Wanted(text=printed, changes=diff, repairs=as_json or report is not None)
    outcomes = repair_targets(targets, settings, jobs or _cores(), wanted)
    for problem in outcomes.problems:
        complain(str(problem))
    replies = [document.reply for document in outcomes.repaired]
    reply = RepairReport.of(replies, failed=len(targets) - len(replies), threshold=settings.repair_threshold)
    if as_json:
        print(reply.model_dump_json(indent=2))
    elif diff:
        _show_changes(outcomes, reply)
    if not as_json:
        _show_outcome(outcomes, reply, single=single, printed=printed, diff=diff)
    if report is not None:
        write_file(report, reply.model_dump_json(indent=2).encode() + b"\n")
    if outcomes.problems:
        raise typer.Exit(1)


def _check_use(paths: list[Path], *, single: bool, out: Path | None, diff: bool, as_json: bool) -> None:
    if Path("-") in paths and len(paths) > 1:
        raise BadUse("`-` is standard input: give it alone.")
    if not single and out is None and not diff:
        raise BadUse("Several files or a folder need a folder to go to: give --out, or --diff to look only.")
    if as_json and diff:
        raise BadUse("--json and --diff both print what changed: give one of them.")
    if as_json and out is None:
        raise BadUse("--json prints a report where the text would go: give --out for the text.")


def _show_changes(outcomes: "Outcomes", reply: "RepairReport") -> None:
    """The changed lines of all documents; the legend stands where it is seen first: last on a terminal."""
    from api.render import open_console
    from api.render_changes import show_changes, show_legend

    console = open_console()
    legend = any(line.inferred for document in outcomes.repaired for line in document.changes)
    if legend and not console.is_terminal:
        show_legend(console, reply.threshold)
    for document in outcomes.repaired:
        if document.changes:
            show_changes(console, document.name, document.reply.damage, document.changes, threshold=reply.threshold)
    if legend and console.is_terminal:
        console.print()
        show_legend(console, reply.threshold)


def _show_outcome(outcomes: "Outcomes", reply: "RepairReport", *, single: bool, printed: bool, diff: bool) -> None:
    """What was done, on stderr where standard output has the text; a clean text that was printed says enough itself."""
    from api.render import open_console
    from api.render_repairs import show_outcome, show_outcomes

    console = open_console(stderr=printed)
    if not single:
        show_outcomes(console, [document.name for document in outcomes.repaired], reply)
        return
    for document in outcomes.repaired:
        if document.reply.damage or document.reply.lost or not printed:
            hint = "" if diff else "; --diff shows them"
            show_outcome(console, document.name, document.reply, reply.threshold, hint=hint)


def _cores() -> int:
    """The cores that this process may use, where the system tells them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
