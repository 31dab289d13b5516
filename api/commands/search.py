"""`guide search`: the passages nearest to a question."""

from typing import TYPE_CHECKING

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
from api.options import with_settings

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("top_k", "embedding_model", "device")
def search(
    question: QuestionArgument = None,
    *,
    documents: DocumentsOption = None,
    section: SectionOption = None,
    kind: KindOption = None,
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

    within = passages_within(documents, section, kind)
    with Services(settings) as services:
        run_questions(
            asked,
            lambda one: SearchReply.of(one.text, services.search(one.text, within=within), one.id),
            show_passages,
            as_json=as_json,
            as_jsonl=as_jsonl,
        )
