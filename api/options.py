"""What all commands share: the flags of the settings, `--debug`, and the border where errors become one line."""

import errno
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup

from kb.errors import GuideError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)  # told by whoever flushes the output


class BadUse(typer.TyperException):
    """Arguments that are each fine but don't go together: exit code 2."""


class ListUnlessNamed(TyperGroup):
    """A group whose name alone, with or without options, means its command `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and not (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if not named and not ctx.resilient_parsing:  # as a shell parses that asks how a line may go on
            args = ["list", *args]
        return super().parse_args(ctx, args)


def _flag(help_text: str, metavar: str | None = None, *names: str, **limits: Any) -> Any:
    return typer.Option(
        *names, help=help_text, metavar=metavar, show_default=False, rich_help_panel="Settings", **limits
    )


SETTING_FLAGS: dict[str, Any] = {
    "home": Annotated[Path | None, _flag("Where the knowledge base is kept.", "DIR")],
    "embedding_model": Annotated[str | None, _flag("A sentence-transformers folder or hub id.", "MODEL")],
    "chat_model": Annotated[str | None, _flag("A causal language model's folder or hub id.", "MODEL")],
    "adapter": Annotated[str | None, _flag("A peft adapter's folder or hub id, or `none`.", "ADAPTER")],
    "device": Annotated[Literal["auto", "cpu", "cuda", "mps"] | None, _flag("Where models run.")],
    "top_k": Annotated[int | None, _flag("How many passages a search returns.", "K", min=1, max=100)],
    "repair_threshold": Annotated[
        float | None,
        _flag(
            "Restored characters less sure than this are marked as doubtful; 0.9 unless set.",
            "CONFIDENCE",
            "--threshold",
            min=0,
            max=1,
        ),
    ],
    "host": Annotated[str | None, _flag("The address to bind; 127.0.0.1 unless set.", "ADDRESS")],
    "port": Annotated[int | None, _flag("The port; 8000 unless set, 0 takes a free one.", "PORT", min=0, max=65535)],
}
_DEBUG = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel="Settings")]


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of the settings `names`, `--home` and `--debug`.

    The command itself receives `settings`, the settings in force; a GuideError that leaves it becomes one line on
    stderr and exit code 1.
    """
    flags = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=SETTING_FLAGS[name])
        for name in ("home", *names)
    ]
    flags.append(inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_DEBUG))

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [parameter for name, parameter in inspect.signature(command).parameters.items() if name != "settings"]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            with error_border(debug=values.pop("debug", False)):
                from kb.settings import load_settings

                given = {name: values.pop(name, None) for name in ("home", *names)}
                command(**values, settings=load_settings(**given))

        signature = inspect.Signature([*own, *flags])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
        return run

    return decorate


@contextmanager
def error_border(*, debug: bool) -> Iterator[None]:
    """Turn every failure into one line on stderr and exit code 1; with `debug` let its traceback be seen."""
    try:
        yield
    except GuideError as problem:
        if debug:
            raise
        fail(str(problem))
    except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
        raise
    except Exception as problem:
        if debug or getattr(problem, "errno", None) in NO_SPACE:
            raise
        fail(f"Unexpected {type(problem).__name__}: {problem}. `--debug` shows where it comes from.")


def fail(message: str) -> NoReturn:
    """End the command with exit code 1 and `message` as one line on stderr."""
    complain(message)
    raise typer.Exit(1)


def complain(message: str) -> None:
    """One line on stderr; line breaks and terminal controls that a name or text brings along are made harmless."""
    line = " ".join(message.split())
    print("guide:", "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line), file=sys.stderr)
