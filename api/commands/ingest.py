"""`guide ingest`: files and folders into the knowledge base."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import complain, with_settings
from api.progress import progress_bar

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

    with Services(settings) as services, progress_bar() as progress:
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
