"""`guide compare`: the same question plain and with retrieval, without and with the adapter."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import (
    JsonLinesOption,
    JsonOption,
    QuestionArgument,
    QuestionsOption,
    given_questions,
    run_questions,
)
from api.options import BadUse, complain, with_settings
from api.questions import Question

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("top_k", "chat_model", "embedding_model", "device")
def compare(
    question: QuestionArgument = None,
    *,
    seed: Annotated[int, typer.Option(min=0, help="The seed that all variants share.")] = 0,
    probes: Annotated[
        bool,
        typer.Option("--probes", help="Also ask base and adapter for tables' cells, reworded too, and general things."),
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML page with the answers, probes and plots.")
    ] = None,
    questions: QuestionsOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonLinesOption = False,
    settings: "Settings",
) -> None:
    """Answer a question plain and with retrieval, without and with the adapter, side by side."""
    if html is not None and questions is not None:
        raise BadUse("--html reports on one question: give it as the argument.")
    asked = given_questions(question, questions, settings, as_json=as_json, as_jsonl=as_jsonl)
    from api.render_probes import show_compared
    from api.report import write_report
    from api.schemas import CompareReply
    from api.schemas_probes import ProbedCompareReply
    from api.services import Services

    with Services(settings) as services:
        for caveat in services.chat.caveats:
            complain(caveat)

        def compared(one: Question) -> CompareReply:
            comparison = services.compare(one.text, seed)
            reply = CompareReply.of(comparison, one.id)
            if probes or (html is not None and services.chat.adapters):
                reply = ProbedCompareReply.with_probes(comparison, services.probe(seed), one.id)
            if html is not None:
                write_report(reply, html)
            return reply

        show = partial(show_compared, threshold=settings.repair_threshold)
        run_questions(asked, compared, show, as_json=as_json, as_jsonl=as_jsonl)
