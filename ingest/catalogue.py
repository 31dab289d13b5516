"""The tables of a knowledge base, by document or by name."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from ingest.documents import pipeline_version
from ingest.tables import find_tables
from kb.errors import InputError, NotFoundError
from kb.records import Table
from kb.store import DocumentInfo, Store

SUGGESTED = 8

# What was found in documents that an older version of this code took in: the same as long as they stay as they are.
_found_again: WeakKeyDictionary[Store, dict[DocumentInfo, tuple[Table, ...]]] = WeakKeyDictionary()


def all_tables(store: Store, document: str | None = None) -> list[Table]:
    """All tables, by document and place, or those of the document with this name or id.

    Documents that an older version of this code took in are looked through again, once, until they are ingested anew.

    Raises:
        NotFoundError: there is no such document.
    """
    infos = store.documents()
    outdated = {info for info in infos if info.pipeline != pipeline_version()}
    if document is not None:
        identity = store.document(document).id
        infos = [info for info in infos if info.id == identity]
    known = _found_again.get(store, {})
    found = {
        info: known[info] if info in known else tuple(find_tables(store.document(info.id)))
        for info in infos
        if info in outdated
    }
    _found_again[store] = {info: tables for info, tables in (known | found).items() if info in outdated}
    of_document = {info.id: list(tables) for info, tables in found.items()}
    for table in store.tables({info.id for info in infos} - of_document.keys()):
        of_document.setdefault(table.document_id, []).append(table)
    return [table for info in infos for table in of_document.get(info.id, [])]


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
