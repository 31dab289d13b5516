"""Writes the reference pages of docs (settings, commands, routes): `python -m api.reference`, or `make docs`.

A test compares the pages with what this module would write.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from typer.cli import get_docs_for_click

from api.cli import app
from kb.settings import ROOT, Settings, load_settings

HOME_DEFAULT = "`guide` in the user's data folder (`~/.local/share/guide` on Linux)"


def pages() -> Mapping[Path, str]:
    """Each generated page by its path from the repository's root."""
    return {
        Path("docs/settings.md"): settings_page(),
        Path("docs/cli.md"): cli_page(),
        Path("docs/routes.md"): routes_page(),
    }


def settings_page() -> str:
    rows = [
        f"| `{name}` | `GUIDE_{name.upper()}` | {_default(field)} | {_meaning(field)} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "A flag of the command line goes before a `GUIDE_*` environment variable, that before `guide.toml` in the",
            "folder where `guide` runs, that before the default. A name that no setting has, or a value that can't be",
            "used, ends the command with one line that names it. Paths of the defaults are inside the package.",
            "",
            "| in `guide.toml` | environment | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def cli_page() -> str:
    command = typer.main.get_command(app)
    page = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="guide"), name="guide")
    return page.rstrip() + "\n"


def routes_page() -> str:
    """The routes by their tags, as the OpenAPI document has them."""
    from api.app import create_app

    described = create_app(load_settings()).openapi()
    groups: dict[str, list[str]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            told = " ".join(operation["description"].split("\n\n")[0].split())
            row = f"| `{method.upper()} {path}` | {_taken(operation)} | {told} |"
            groups.setdefault(operation["tags"][0], []).append(row)
    head = ["| route | takes | does |", "|---|---|---|"]
    titles = {tag: TITLES.get(tag, tag.capitalize()) for tag in groups}
    parts = [line for tag, rows in groups.items() for line in ("", f"## {titles[tag]}", "", *head, *rows)]
    return "\n".join(
        [
            "# Routes",
            "",
            "All routes, from the server's OpenAPI document. [rest.md](rest.md) explains them with examples; `/docs`",
            "of a running server has every field of what they take and give.",
            *parts,
            "",
        ]
    )


def _taken(operation: Mapping[str, Any]) -> str:
    """The parameters of a route, and the name of its body's schema."""
    names = [f"`{parameter['name']}`" for parameter in operation.get("parameters", [])]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        names.append("a form with `file`" if kind == "multipart/form-data" else f"`{_schema(content)}`")
    return ", ".join(names)


def _schema(content: Mapping[str, Any]) -> str:
    return str(content["schema"]["$ref"]).rpartition("/")[2]


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return HOME_DEFAULT
    if field.default is None:
        return "not set"
    return f"`{str(field.default).removeprefix(f'{ROOT}/')}`"


def _meaning(field: FieldInfo) -> str:
    choices: tuple[Any, ...] = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    limits = [
        f"{sign} {getattr(limit, name)}" for limit in field.metadata for name, sign in LIMITS if hasattr(limit, name)
    ]
    notes = [", ".join(f"`{choice}`" for choice in choices)] if choices else limits
    return f"{field.description} ({', '.join(notes)})" if notes else str(field.description)


TITLES = {"openai": "OpenAI and private-gpt"}
LIMITS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


if __name__ == "__main__":
    for path, page in pages().items():
        (ROOT / path).write_text(page, encoding="utf-8")
