"""`guide search`: the passages nearest to a question."""

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
from api.options import with_settings
from kb.records import Filter, PassageKind

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("top_k", "embedding_model", "device")
def search(
    question: QuestionArgument = None,
    *,
    documents: Annotated[
        list[str] | None, typer.Option("--document", metavar="NAME", help="Only passages of this document; repeatable.")
    ] = None,
    section: Annotated[
        str | None, typer.Option(metavar="HEADING", help="Only below a heading that has this in it.")
    ] = None,
    kind: Annotated[PassageKind | None, typer.Option(help="Only passages of this kind.")] = None,
    questions: QuestionsOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonLinesOption = False,
    settings: "Settings",
) -> None:
    """Find the passages nearest to a question; nothing is generated."""
    asked = given_questions(question, questions, settings, as_json=as_json, as_jsonl=as_jsonl)
    from api.render import show_passages
    from api.schemas import SearchReply
    from api.services import Services

    within = Filter(documents or None, section, None if kind is None else (kind,))
    with Services(settings) as services:
        run_questions(
            asked,
            lambda one: SearchReply.of(one.text, services.search(one.text, within=within), one.id),
            show_passages,
            as_json=as_json,
            as_jsonl=as_jsonl,
        )
