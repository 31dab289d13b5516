"""The tables of a knowledge base, by document or by name."""

from collections.abc import Sequence

from ingest.documents import pipeline_version
from ingest.tables import find_tables
from kb.errors import InputError, NotFoundError
from kb.records import Table
from kb.store import Store

SUGGESTED = 8


def all_tables(store: Store, document: str | None = None) -> list[Table]:
    """All tables, by document and place, or those of the document with this name or id.

    Documents that an older version of this code took in are looked through again, until they are ingested anew.

    Raises:
        NotFoundError: there is no such document.
    """
    infos = store.documents()
    if document is not None:
        identity = store.document(document).id
        infos = [info for info in infos if info.id == identity]
    outdated = {info.id for info in infos if info.pipeline != pipeline_version()}
    stored = store.tables({info.id for info in infos} - outdated)
    found = {identity: find_tables(store.document(identity)) for identity in outdated}
    for table in stored:
        found.setdefault(table.document_id, []).append(table)
    return [table for info in infos for table in found.get(info.id, [])]


def one_table(tables: Sequence[Table], name: str) -> Table:
    """The table with this id or title, or the only one whose title holds `name`.

    Raises:
        NotFoundError: there is none.
        InputError: there are several.
    """
    wanted = name.strip().casefold()
    for fits in (
        lambda table: table.id == wanted,
        lambda table: table.title.casefold() == wanted,
        lambda table: wanted in table.title.casefold(),
    ):
        found = [table for table in tables if wanted and fits(table)]
        if len(found) == 1:
            return found[0]
        if found:
            which = ", ".join(f"{table.id} ({table.title})" for table in found[:SUGGESTED])
            more = " and more" if len(found) > SUGGESTED else ""
            raise InputError(f"{len(found)} tables are called {name!r}: {which}{more}. Give an id.")
    raise NotFoundError(f"There is no table {name!r}. `guide tables` lists the {len(tables)} there are.")
