"""`guide methods`: the ways of tuning that the guide compares, measured on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.asking import JsonOption
from api.commands.train import BaseOption, BatchOption, DataOption, EpochsOption, MaxTokensOption, SeedOption
from api.options import with_settings
from kb.files import write_file

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("device")
def methods(
    *,
    base: BaseOption = None,
    data: DataOption = None,
    only: Annotated[
        str | None, typer.Option(metavar="METHOD,…", help="Only these; all unless given.", show_default=False)
    ] = None,
    conversations: Annotated[
        int, typer.Option(min=2, help="How many conversations to make from the knowledge base without --data.")
    ] = 400,
    epochs: EpochsOption = 1.0,
    batch_tokens: BatchOption = 2048,
    max_tokens: MaxTokensOption = 256,
    seed: SeedOption = 17,
    out: Annotated[
        Path | None, typer.Option(metavar="RECORD.json", help="Write the measures with their provenance here.")
    ] = None,
    as_json: JsonOption = False,
    settings: "Settings",
) -> None:
    """Train each method on the same conversations and compare what it takes and gives with what the guide says of it.

    Measured are the share of parameters that are trained, the memory of weights, gradients and optimiser, the time,
    what has to be kept, and the loss on held-out conversations before and after.
    """
    import tempfile

    from api.progress import progress_bar
    from api.render_models import show_methods
    from api.schemas_models import MethodsReply
    from api.training import check_methods, said_of
    from api.training import conversations as made
    from models.measure_methods import NOT_IN_PEFT, measure
    from models.methods import METHOD_NAMES, METHODS
    from models.teaching import FinetuneConfig

    names = [name.strip() for name in only.split(",")] if only else list(METHOD_NAMES)
    check_methods(names)
    config = FinetuneConfig(epochs=epochs, batch_tokens=batch_tokens, max_tokens=max_tokens, held_out=0.2, seed=seed)
    with tempfile.TemporaryDirectory(prefix="guide-methods-") as folder, progress_bar(wanted=not as_json) as progress:
        learnt_from = data or made(settings, Path(folder), conversations)
        results = measure(
            base or settings.chat_model, learnt_from, names, config, device=settings.device, progress=progress
        )
        called = [METHODS[name].called for name in names] + [missing.called for missing in NOT_IN_PEFT]
        reply = MethodsReply.of(results, said_of(settings, called), base or settings.chat_model, learnt_from, config)
    if as_json:
        print(reply.model_dump_json(indent=2))
    else:
        show_methods(reply)
    if out:
        write_file(out, reply.model_dump_json(indent=1).encode() + b"\n")
