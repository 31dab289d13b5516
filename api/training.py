"""What `guide train` and `guide methods` learn from when no data is given, and which methods there are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from api.options import BadUse
from api.services import Services
from kb.errors import StoreError
from kb.records import Table
from kb.settings import Settings


def check_methods(names: Sequence[str]) -> None:
    from models.methods import METHOD_NAMES

    for name in names:
        if name not in METHOD_NAMES:
            raise BadUse(f"There is no method {name}; there are: {', '.join(METHOD_NAMES)}.")


def conversations(settings: Settings, out: Path, most: int | None = None) -> Path:
    """Questions and answers made from the knowledge base, written to a file in `out`.

    Raises:
        StoreError: the knowledge base is empty.
        InputError: the file can't be written.
    """
    from rag.lessons import guide_lessons, write

    with Services(settings) as services:
        if services.store.is_empty():
            raise StoreError(
                f"The knowledge base in {settings.home} is empty: run `guide ingest` first, or give --data."
            )
        lessons = list(guide_lessons(services.store.passages()))
    file = out / "conversations.jsonl"
    write(lessons[:: max(1, len(lessons) // most)] if most else lessons, file)
    return file


def said_of(settings: Settings, methods: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """What the knowledge base's table of methods says of each, by column; nothing when it has none."""
    with Services(settings) as services:
        tables = [] if services.store.is_empty() else services.tables()
    wanted = {_plain(name): name for name in methods}
    best = max(tables, key=lambda table: len(_rows_of(table, wanted)), default=None)
    if best is None or len(_rows_of(best, wanted)) < 3:
        return {}
    return _rows_of(best, wanted)


def _rows_of(table: Table, wanted: Mapping[str, str]) -> dict[str, dict[str, str]]:
    said: dict[str, dict[str, str]] = {}
    for row in table.rows:
        name = wanted.get(_plain(row.cells[0].text))
        if name:
            cells = zip(table.columns[1:], row.cells[1:], strict=False)
            said[name] = {column: cell.text.strip("* ") for column, cell in cells}
    return said


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
