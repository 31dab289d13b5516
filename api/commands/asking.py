"""What search, ask and compare share: where their questions come from, and in which form the replies go out."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.options import BadUse
from api.progress import progress_bar
from api.questions import Question, checked, read_questions
from kb.records import Filter, PassageKind

if TYPE_CHECKING:
    from rich.console import Console

    from api.schemas import Wire
    from kb.settings import Settings

Reply = TypeVar("Reply", bound="Wire")

QuestionArgument = Annotated[str | None, typer.Argument(help="The question; `-` reads it from standard input.")]
QuestionsOption = Annotated[
    Path | None,
    typer.Option(
        "--questions", metavar="FILE.jsonl", help="Run every line's `question` instead, with its `id`; needs --jsonl."
    ),
]
DocumentsOption = Annotated[
    list[str] | None, typer.Option("--document", metavar="NAME", help="Only passages of this document; repeatable.")
]
SectionOption = Annotated[
    str | None, typer.Option("--section", metavar="HEADING", help="Only below a heading that has this in it.")
]
KindOption = Annotated[PassageKind | None, typer.Option("--kind", help="Only passages of this kind.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLinesOption = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line, in order.")]


def run_questions(
    questions: list[Question],
    reply: Callable[[Question], Reply],
    show: Callable[["Console", Reply], None],
    *,
    as_json: bool,
    as_jsonl: bool,
) -> None:
    """Reply to each question in order, and print each reply as soon as it is there."""
    from api.render import open_console

    console = open_console()
    for question in questions:
        with progress_bar("…", wanted=not as_jsonl):
            answered = reply(question)
        if as_json or as_jsonl:
            print(answered.model_dump_json(indent=2 if as_json else None), flush=True)
        else:
            show(console, answered)


def passages_within(documents: list[str] | None, section: str | None, kind: PassageKind | None) -> Filter:
    """What these options allow."""
    return Filter(documents or None, section, None if kind is None else (kind,))


def given_questions(
    question: str | None, file: Path | None, settings: "Settings", *, as_json: bool, as_jsonl: bool
) -> list[Question]:
    """The questions of this run, all of them checked before the first one is asked.

    Raises:
        BadUse: options that don't go together.
        InputError: a question that can't be asked, or a file that can't be read.
    """
    if (question is None) == (file is None):
        raise BadUse("Give a question, or a file of them with --questions (and not both).")
    if as_json and as_jsonl:
        raise BadUse("--json prints one object, --jsonl one object a line: give one of them.")
    if file is not None:
        if not as_jsonl:
            raise BadUse("--questions prints one JSON object a line: give --jsonl too.")
        return read_questions(file, settings.max_question_chars)
    text = sys.stdin.read().rstrip("\n") if question == "-" else question or ""
    return [Question(checked(text, settings.max_question_chars))]
