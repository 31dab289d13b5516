"""`guide ingest`: files and folders into the knowledge base."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import complain, with_settings

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("embedding_model", "device")
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders (.md, .markdown, .txt, .rst); none: the guide itself.")
    ] = None,
    *,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Take documents into the knowledge base, mojibake restored; what has not changed is passed over."""
    from api.render import open_console, show_ingested
    from api.schemas import IngestedOut, IngestReply
    from api.services import Services
    from kb.settings import SOURCES

    with Services(settings) as services, _progress_bar() as progress:
        replies = tuple(map(IngestedOut.model_validate, services.pipeline.ingest(paths or [SOURCES], progress)))
    console = open_console()
    for reply in replies:
        if reply.error is not None:
            complain(reply.error)
        elif not as_json:
            show_ingested(console, reply)
    if as_json:
        print(IngestReply(documents=replies).model_dump_json(indent=2))
    if any(reply.error is not None for reply in replies):
        raise typer.Exit(1)


@contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """What a pipeline tells its progress: shown as a bar on stderr if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    bar = Progress(
        console=console, transient=True, redirect_stdout=False, redirect_stderr=False, disable=not console.is_terminal
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda name, done, total: bar.update(task, description=name, completed=done, total=total)
