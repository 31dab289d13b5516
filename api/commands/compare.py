"""`guide compare`: the same question plain and with retrieval, without and with the adapter."""

from functools import partial
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

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("top_k", "chat_model", "embedding_model", "device")
def compare(
    question: QuestionArgument = None,
    *,
    seed: Annotated[int, typer.Option(min=0, help="The seed that all variants share.")] = 0,
    questions: QuestionsOption = None,
    as_json: JsonOption = False,
    as_jsonl: JsonLinesOption = False,
    settings: "Settings",
) -> None:
    """Answer a question plain and with retrieval, without and with the adapter, side by side."""
    asked = given_questions(question, questions, settings, as_json=as_json, as_jsonl=as_jsonl)
    from api.render import show_comparison
    from api.schemas import CompareReply
    from api.services import Services

    with Services(settings) as services:
        run_questions(
            asked,
            lambda one: CompareReply.of(services.compare(one.text, seed), one.id),
            partial(show_comparison, threshold=settings.repair_threshold),
            as_json=as_json,
            as_jsonl=as_jsonl,
        )
