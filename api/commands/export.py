"""`guide export`: an adapter merged into its base, a GGUF file, an original Llama checkpoint converted."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.options import BadUse, with_settings

if TYPE_CHECKING:
    from kb.settings import Settings


@with_settings("chat_model", "adapter")
def export(
    *,
    merge: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the base with the adapter merged in.", show_default=False)
    ] = None,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="The numbers of the merged model's file.")
    ] = "float32",
    gguf: Annotated[
        Path | None,
        typer.Option(metavar="FILE.gguf", help="Write base and adapter for llama.cpp and Ollama.", show_default=False),
    ] = None,
    llama: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Turn this original Llama checkpoint into a folder at --out.", show_default=False
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="With --llama.", show_default=False)] = None,
    settings: "Settings",
) -> None:
    """Write the configured chat model in another form, read it back and compare it.

    The adapter is merged in float32. `--gguf` writes Llama-, Mistral- and Qwen2-shaped models.
    """
    if not (merge or gguf or llama):
        raise BadUse("Say what to write: --merge DIR, --gguf FILE or --llama DIR --out DIR.")
    if bool(llama) != bool(out):
        raise BadUse("--llama and --out go together.")
    if llama and out:
        from models.original_llama import convert

        for rest in [f"{out} is written.", *convert(llama, out)]:
            print(rest)
    if merge:
        _merge(settings, merge, dtype)
    if gguf:
        _write_gguf(settings, gguf)


def _merge(settings: "Settings", folder: Path, dtype: str) -> None:
    from models.export import merge

    difference = merge(settings, folder, dtype)
    print(f"{folder}: merged, read back, and off the adapted model by {difference:.1g} of its largest logit.")


def _write_gguf(settings: "Settings", file: Path) -> None:
    from models.export import merge
    from models.gguf_export import write_gguf
    from models.load import configured_adapters, find_base

    adapters = configured_adapters(settings)
    if adapters:
        with tempfile.TemporaryDirectory(prefix="guide-export-") as folder:
            merged = Path(folder) / find_base(settings, adapters).name
            merge(settings, merged)
            difference = write_gguf(merged, file)
    else:
        difference = write_gguf(find_base(settings, {}), file)
    print(f"{file}: written, read back, and off the model by {difference:.1g} of a tensor's largest value.")
