"""`guide chat`: questions one after another, each understood from those before it."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from api.options import complain, with_settings
from kb.errors import GuideError

if TYPE_CHECKING:
    from rich.console import Console

    from api.services import Services
    from kb.settings import Settings
    from models.chat import Message
    from rag.asking import Asking

PROMPT = "» "
ANEW = "/new"


@with_settings("top_k", "chat_model", "embedding_model", "device")
def chat(
    *,
    plain: Annotated[bool, typer.Option("--plain", help="Answer without retrieval.")] = False,
    adapter: Annotated[
        str | None, typer.Option(metavar="NAME|none", help="The adapter to answer with; `none` is the base alone.")
    ] = None,
    settings: "Settings",
) -> None:
    """Answer questions one after another; a follow-up question may leave out what was said before.

    Questions are read line by line. `/new` forgets what was said, Ctrl-C stops an answer, Ctrl-D ends.
    """
    from api.render import open_console
    from api.services import Services

    console = open_console()
    with Services(settings) as services:
        chat_model = services.chat.adapter_name(adapter or "default")
        from rag.asking import Asking

        asking = Asking(mode="plain" if plain else "rag", adapter=chat_model or "none")
        turns: list[Message] = []
        for question in _questions():
            if question == ANEW:
                turns = []
                continue
            try:
                turns = _answered(console, services, turns, question, asking)
            except GuideError as problem:
                complain(str(problem))
            except KeyboardInterrupt:
                print(file=sys.stderr)


def _answered(
    console: "Console", services: "Services", turns: "list[Message]", question: str, asking: "Asking"
) -> "list[Message]":
    """Prints the answer to a question after these turns; the turns with both."""
    from api.render import show_stream
    from models.chat import Message

    turns = [*turns, Message("user", question)]
    answer = show_stream(console, services.converse(turns, asking), threshold=services.settings.repair_threshold)
    if answer.question != question:
        console.print(f"({answer.question})", style="dim")
    console.print()
    return [*turns, Message("assistant", answer.text)]


def _questions() -> Iterator[str]:
    """The lines of standard input that are not blank; at a terminal with a prompt and line editing."""
    with suppress(ImportError):
        import readline  # noqa: F401 - `input` uses it
    asked_for = PROMPT if sys.stdin.isatty() else ""
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            if line := input(asked_for).strip():
                yield line
