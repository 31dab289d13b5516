"""`guide tables`: what the documents say in rows and columns."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import ListUnlessNamed, with_settings

if TYPE_CHECKING:
    from kb.settings import Settings

app = typer.Typer(
    cls=ListUnlessNamed, help="List and show the documents' tables, and the lists and sections that serve as tables."
)


@app.command("list")
@with_settings()
def list_tables(
    *,
    document: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the tables of this document; its name or id.")
    ] = None,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """List the tables; with --json their rows too."""
    from api.render import open_console
    from api.render_tables import show_tables
    from api.schemas_tables import TableList
    from api.services import Services

    with Services(settings) as services:
        reply = TableList.of(services.tables(document))
    if as_json:
        print(reply.model_dump_json(indent=2))
    else:
        show_tables(open_console(), reply)


@app.command("show")
@with_settings()
def show_one(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The table's id, or its title or a part of it.")],
    *,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Show one table with its rows."""
    from api.render import open_console
    from api.render_tables import show_table
    from api.schemas_tables import TableOut
    from api.services import Services

    with Services(settings) as services:
        reply = TableOut.of(services.table(name))
    if as_json:
        print(reply.model_dump_json(indent=2))
    else:
        show_table(open_console(), reply)
