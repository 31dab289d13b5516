"""The command `guide`."""

import gc
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

from api.commands import (
    ask,
    chat,
    compare,
    documents,
    evaluate,
    export,
    ingest,
    mcp,
    methods,
    models,
    repair,
    search,
    serve,
    tables,
    train,
)
from api.options import complain

TAKE_PATHS = ("ingest", "repair")

app = typer.Typer(
    help="Ask a guide to language models and PEFT, or documents of your own, and see the lines each answer rests on.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command("ingest")(ingest.ingest)
app.command("repair")(repair.repair)
app.add_typer(documents.app, name="documents")
app.add_typer(tables.app, name="tables")
app.command("search")(search.search)
app.command("ask")(ask.ask)
app.command("chat")(chat.chat)
app.command("compare")(compare.compare)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(models.app, name="models")
app.command("train")(train.train)
app.command("methods")(methods.methods)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)


@app.callback(invoke_without_command=True)
def guide(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"guide {version_of('guide')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line and exit: 0, 2 for bad use, 1 for a failure, 130 when interrupted."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # What is piped is UTF-8 whatever the locale; a terminal keeps its own encoding and shows what it can.
        stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    if not sys.warnoptions:
        # What libraries warn of is for developers, who have the tests and `-W`.
        warnings.simplefilter("ignore")
        logging.getLogger().addHandler(logging.NullHandler())
    # Looking for garbage among all that torch and chromadb define took a quarter of a question's time.
    gc.set_threshold(50_000)
    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)


def _open_closed_streams() -> None:
    """Has streams that were closed, as `>&-` and some schedulers do, read and write nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - for as long as the process runs


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code."""
    if _has_empty_path(arguments):
        complain("A path is empty. Give a file or a folder; `.` is this one.")
        return 2
    try:
        code = app(arguments, prog_name="guide", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as problem:
        context = getattr(problem, "ctx", None)
        hint = f" `{context.command_path} --help` shows what it takes." if context else ""
        complain(f"{problem.format_message().rstrip('.')}.{hint}")
        return 2
    except typer.Abort:
        return 130
    except OSError as problem:
        if not isinstance(problem, BrokenPipeError):  # then whoever read the output has had enough
            complain(f"The output can't be written: {problem.strerror}.")
        # What is left must not be written when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code or 0


def _has_empty_path(arguments: Sequence[str]) -> bool:
    """Whether a script's unset variable stands for a path: it would be the folder that `guide` runs in."""
    takes_paths = bool(arguments) and arguments[0] in TAKE_PATHS
    return (takes_paths and "" in arguments) or "--home=" in arguments or ("--home", "") in pairwise(arguments)
