"""`guide evaluate`: how well questions with known answers are searched for and answered."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import with_settings
from kb.files import write_file

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("top_k", "chat_model", "embedding_model", "device")
def evaluate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", show_default=False, help="Questions, one object a line.")
    ],
    *,
    search_only: Annotated[
        bool, typer.Option("--search-only", help="Score retrieval alone; no model answers.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="RECORD.json", help="Write the scores with their provenance here.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PLOT.svg", help="Draw the scores here; .png and .pdf can be had too.")
    ] = None,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Score retrieval and answers over questions whose answers are known.

    Each line has a `question` and what grades it: `gold`, strings of which a relevant passage holds one, and `must`,
    groups of strings, one of each of which a right answer holds. `kind` groups the questions; `none` says that there is
    no answer.
    """
    from api.evaluating import evaluation_report
    from api.plot_evaluation import check_plot, plot_evaluation
    from api.progress import progress_bar
    from api.render import open_console
    from api.render_evaluation import as_text, show_evaluation
    from api.services import Services
    from rag.evaluate import read_graded

    questions = read_graded(file)
    if plot:
        check_plot(plot)
    with Services(settings) as services, progress_bar(wanted=not as_json) as progress:
        report = evaluation_report(services, questions, answers=not search_only, progress=progress)
    if as_json:
        print(as_text(report))
    else:
        show_evaluation(open_console(), report)
    if out:
        write_file(out, as_text(report).encode() + b"\n")
    if plot:
        plot_evaluation(report, plot)
