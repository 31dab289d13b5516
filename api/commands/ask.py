"""`guide ask`: an answer with its citations."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import (
    DocumentsOption,
    JsonLinesOption,
    JsonOption,
    KindOption,
    QuestionArgument,
    QuestionsOption,
    SectionOption,
    given_questions,
    passages_within,
    run_questions,
)
from api.options import BadUse, with_settings

if TYPE_CHECKING:
    from kb.records import Mode
    from kb.settings import Settings


@with_settings("top_k", "chat_model", "embedding_model", "device")
def ask(
    question: QuestionArgument = None,
    *,
    plain: Annotated[bool, typer.Option("--plain", help="Answer without retrieval.")] = False,
    adapter: Annotated[
        str | None, typer.Option(metavar="NAME|none", help="The adapter to answer with; `none` is the base alone.")
    ] = None,
    documents: DocumentsOption = None,
    section: SectionOption = None,
    kind: KindOption = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it is written.")] = False,
    questions: QuestionsOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonLinesOption = False,
    settings: "Settings",
) -> None:
    """Answer a question from the knowledge base, and cite the lines that the answer rests on."""
    asked = given_questions(question, questions, settings, as_json=as_json, as_jsonl=as_jsonl)
    if stream and (as_json or as_jsonl):
        raise BadUse("--stream prints for people: leave --json and --jsonl out.")
    if plain and (documents or section or kind):
        raise BadUse("--plain looks at no passages: leave --document, --section and --kind out.")
    from api.render import open_console, show_answer, show_stream
    from api.schemas import AskReply
    from api.services import Services

    mode: Mode = "plain" if plain else "rag"
    within = passages_within(documents, section, kind)
    with Services(settings) as services:
        if stream:
            written = services.stream(asked[0].text, mode=mode, adapter=adapter, within=within)
            show_stream(open_console(), written, threshold=settings.repair_threshold)
            return
        run_questions(
            asked,
            lambda one: AskReply.of(services.ask(one.text, mode=mode, adapter=adapter, within=within), one.id),
            partial(show_answer, threshold=settings.repair_threshold),
            as_json=as_json,
            as_jsonl=as_jsonl,
        )
