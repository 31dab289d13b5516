"""`guide models`: what models there are, and whether they fit."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.options import ListUnlessNamed, with_settings

if TYPE_CHECKING:
    from kb.settings import Settings

app = typer.Typer(
    cls=ListUnlessNamed, help="List the models on this machine; see what one is, whether it fits, and what it takes."
)


@app.command("list")
@with_settings("chat_model", "adapter")
def list_models(*, as_json: JsonOption = False, settings: "Settings") -> None:
    """List the models that are configured, shipped, or in the hub's cache."""
    from api.render_models import show_models
    from api.schemas_models import ModelList
    from kb.settings import shown_address
    from models.describe import known_models, memory_megabytes
    from models.families import FAMILIES
    from models.load import pick_device, pick_dtype

    device = pick_device(settings.device)
    reply = ModelList.of(
        known_models(settings),
        server=shown_address(settings.chat_url) if settings.chat_url else None,
        device=str(device),
        dtype=str(pick_dtype(settings.dtype, device)).removeprefix("torch."),
        memory=memory_megabytes(),
        families=[family.name for family in FAMILIES],
    )
    if as_json:
        print(reply.model_dump_json(indent=2))
    else:
        show_models(reply)


@app.command("inspect")
@with_settings()
def inspect(
    place: Annotated[str, typer.Argument(metavar="PATH", help="A model's or adapter's folder or hub id.")],
    *,
    base: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Check an adapter against this base, not its own.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Show what a folder holds, whether an adapter fits its base, and the memory a base takes.

    No weights are loaded and no code is run. Exit code 1 when it can't be used as it is.
    """
    from api.render_models import show_model
    from api.schemas_models import ModelOut
    from models.describe import describe, memory_megabytes
    from models.inspect import locate

    del settings
    facts = describe(locate(place, "PATH"), base=locate(base, "--base") if base else None)
    reply = ModelOut.of(facts)
    if as_json:
        print(reply.model_dump_json(indent=2))
    else:
        show_model(reply, memory_megabytes())
    if facts.problem:
        raise typer.Exit(1)
