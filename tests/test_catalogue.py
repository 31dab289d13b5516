"""The tables of a knowledge base by document and by name."""

from pathlib import Path

import pytest

from ingest.catalogue import all_tables, one_table
from ingest.tables import find_tables
from kb.errors import InputError, NotFoundError
from kb.records import Document, Table
from kb.store import Store
from tests.knowledge import OpenStore, document, put

TABLES = "# {0}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## 对比\n\n| c | d |\n|---|---|\n| 3 | 4 |\n"


@pytest.fixture
def store(tmp_path: Path, open_store: OpenStore) -> Store:
    """Two documents that an older version took in, without looking for tables."""
    store = open_store(tmp_path)
    for name in ("甲", "乙"):
        put(store, f"{name}.md", TABLES.format(name))
    return store


def test_documents_that_an_older_version_took_in_are_looked_through(store: Store) -> None:
    assert store.tables() == []
    expected = [table for name in "乙甲" for table in find_tables(document(f"{name}.md", TABLES.format(name)))]
    assert all_tables(store) == expected
    assert all_tables(store, "甲.md") == expected[2:]
    with pytest.raises(NotFoundError, match="丙"):
        all_tables(store, "丙.md")


def test_they_are_looked_through_once_as_long_as_they_stay_as_they_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_through: list[str] = []

    def find(of: Document) -> list[Table]:
        looked_through.append(of.name)
        return find_tables(of)

    monkeypatch.setattr("ingest.catalogue.find_tables", find)
    assert all_tables(store, "甲.md") == all_tables(store, "甲.md")
    assert looked_through == ["甲.md"]
    assert all_tables(store) == all_tables(store)
    assert looked_through == ["甲.md", "乙.md"]
    put(store, "甲.md", "# 甲\n\n| x | y |\n|---|---|\n| 5 | 6 |\n")
    assert [table.columns for table in all_tables(store, "甲.md")] == [("x", "y")]
    store.delete(document("乙.md", "").id)
    assert {table.source for table in all_tables(store)} == {"甲.md"}
    assert looked_through == ["甲.md", "乙.md", "甲.md"]


def test_a_table_goes_by_id_title_or_part_of_its_title(store: Store) -> None:
    tables = all_tables(store)
    assert one_table(tables, tables[2].id.upper()) is tables[2]
    assert one_table(tables, " 甲 ") is tables[2]
    with pytest.raises(InputError, match=r"2 tables .*Give an id"):
        one_table(tables, "对比")
    with pytest.raises(InputError, match="2 tables"):
        one_table(tables, "对")
    for missing in ("丙", "", " "):
        with pytest.raises(NotFoundError, match="guide tables"):
            one_table(tables, missing)
