"""`guide documents`: what is in the knowledge base."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import ListUnlessNamed, with_settings
from kb.errors import InputError
from kb.files import write_file

if TYPE_CHECKING:
    from kb.settings import Settings
    from kb.store import Store

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The document's name or id.")]


app = typer.Typer(cls=ListUnlessNamed, help="List, show and delete the documents of the knowledge base.")


@app.command("list")
@with_settings()
def list_documents(
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write every restored text here, under its own name.")
    ] = None,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """List the documents."""
    from api.render import open_console, show_documents
    from api.schemas import DocumentList, DocumentRow
    from kb.store import Store

    with closing(Store.open(settings)) as store:
        reply = DocumentList(documents=tuple(map(DocumentRow.model_validate, store.documents())))
        if out is not None:
            _write_texts(store, [row.id for row in reply.documents], out)
    if as_json:
        print(reply.model_dump_json(indent=2))
    else:
        show_documents(open_console(), reply)


@app.command("show")
@with_settings("repair_threshold")
def show_document(
    name: NameArgument,
    *,
    repairs: Annotated[bool, typer.Option("--repairs", help="Print what was inferred instead of the text.")] = False,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Print a document's restored text."""
    from api.render import open_console
    from api.render_repairs import show_repairs
    from api.schemas_repairs import DocumentOut
    from kb.store import Store

    with closing(Store.open(settings)) as store:
        reply = DocumentOut.of(store.document(name), settings.repair_threshold)
    if as_json:
        print(reply.model_dump_json(indent=2))
    elif repairs:
        show_repairs(open_console(), reply)
    else:
        sys.stdout.write(reply.text)


@app.command("delete")
@with_settings()
def delete_document(name: NameArgument, *, settings: "Settings") -> None:
    """Delete a document and its passages."""
    from kb.store import Store

    with closing(Store.open(settings)) as store:
        document = store.document(name)
        store.delete(document.id)
    print(f"deleted {document.name}")


def _write_texts(store: "Store", ids: list[str], folder: Path) -> None:
    root = folder.resolve()
    for document in map(store.document, ids):
        target = (root / document.name).resolve()
        if not target.is_relative_to(root):
            raise InputError(f"{document.name}: this document's name leads out of {folder}. Delete or rename it.")
        write_file(target, document.text.encode())
