"""`guide ingest`: files and folders into the knowledge base."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import complain, with_settings
from api.progress import progress_bar
from ingest.files import DOCUMENTS, no_files, other_kinds

if TYPE_CHECKING:
    from api.services import Services
    from ingest.pipeline import Ingested
    from kb.settings import Settings


NAMED = 5


@with_settings("embedding_model", "device")
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help=f"Files or folders ({' '.join(DOCUMENTS)}); none: the guide itself.")
    ] = None,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep going: take in what is new or changed, drop what is deleted.")
    ] = False,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Take documents into the knowledge base, mojibake restored; what has not changed is passed over.

    With --watch, --json prints one object a line: one for all files at first, then one for each time files change.
    """
    from api.services import Services
    from kb.settings import SOURCES

    with Services(settings) as services:
        if watch:
            _follow(services, paths or [SOURCES], as_json=as_json)
            return
        with progress_bar() as progress:
            outcomes = tuple(services.pipeline.ingest(paths or [SOURCES], progress))
        _tell(outcomes, as_json=as_json)
        _index_words(services)
    _tell_others(paths or [])
    if any(outcome.error is not None for outcome in outcomes):
        raise typer.Exit(1)


def _follow(services: "Services", paths: Sequence[Path], *, as_json: bool) -> None:
    """Takes in what changes until it is interrupted, which is how this is meant to end."""
    from ingest.watch import follow

    with suppress(KeyboardInterrupt):
        with progress_bar() as progress:
            rounds = follow(services.pipeline, paths, services.settings.home, progress)
            first = next(rounds)
        for number, now in enumerate(chain([first], rounds)):
            if now.outcomes or number == 0:
                _tell(now.outcomes, as_json=as_json, indent=None)
                _index_words(services)
            if now.error is not None:
                complain(f"{now.error} It is tried again.")
            sys.stdout.flush()
            if number == 0:
                _tell_others(paths)
                print(f"Watching {', '.join(map(str, paths))}; Ctrl-C ends.", file=sys.stderr, flush=True)


def _index_words(services: "Services") -> None:
    """Readies the next search, which would take a while longer after many documents."""
    from kb.lexical import LexicalIndex

    with progress_bar("…"):
        LexicalIndex.open(services.store, services.settings)


def _tell_others(paths: Sequence[Path]) -> None:
    """Says what in the folders was passed over: files of kinds that are not read, and what is no file."""
    odd = [f"{path} ({what})" for path, what in no_files(paths)]
    if odd:
        more = ["others"] if len(odd) > NAMED else []
        complain(f"passed over, for they are no files: {', '.join([*odd[:NAMED], *more])}.")
    kinds = other_kinds(paths)
    if kinds:
        named = [f"{count} {kind}" for kind, count in kinds.most_common(NAMED)]
        more = ["others"] if len(kinds) > NAMED else []
        complain(f"passed over, of kinds that are not read: {', '.join([*named, *more])}.")


def _tell(outcomes: "Sequence[Ingested]", *, as_json: bool, indent: int | None = 2) -> None:
    from api.render import open_console, show_ingested
    from api.schemas import IngestedOut, IngestReply

    replies = tuple(map(IngestedOut.model_validate, outcomes))
    console = open_console()
    for reply in replies:
        if reply.error is not None:
            complain(reply.error)
        elif not as_json:
            show_ingested(console, reply)
    if as_json:
        print(IngestReply(documents=replies).model_dump_json(indent=indent))
