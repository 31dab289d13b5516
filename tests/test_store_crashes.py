"""The store after a crash: the old version or the new one, whole, whatever became of the files."""

import shutil
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chromadb
import pytest

from kb import store_tables as tables
from kb.errors import StoreError
from kb.settings import Settings
from kb.store import Store
from kb.store_database import Database
from kb.store_values import State
from tests.knowledge import OpenStore, editions, numbered, put
from tests.store_processes import PROCESSES, in_another_process, put_and_die, put_for_ever, unswept


@dataclass(frozen=True)
class Death:
    """A method at which a writer dies, and the edition of the document that is there then."""

    owner: str
    method: str
    edition: str


@pytest.mark.parametrize(
    "death",
    [
        Death("kb.store_vectors:VectorIndex", "put", "1"),
        Death("kb.store_tables", "remove_documents", "1"),
        Death("kb.store_tables", "write_document", "1"),
        Death("kb.store_vectors:VectorIndex", "forget", "2"),
        Death("kb.store_tables", "clear_loose", "2"),
    ],
    ids=lambda death: death.method,
)
def test_a_writer_killed_at_any_step_leaves_the_old_version_or_the_new_one(
    tmp_path: Path, chroma_url: str | None, death: Death, open_store: OpenStore
) -> None:
    store = open_store(tmp_path, chroma_url)
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    assert in_another_process(put_and_die, tmp_path, chroma_url, death.owner, death.method) == -signal.SIGKILL
    assert unswept(tmp_path)
    assert editions(store) == {"a.md": {death.edition}, "b.md": {"1"}}
    after = open_store(tmp_path, chroma_url)
    assert not unswept(tmp_path)
    assert editions(after) == {"a.md": {death.edition}, "b.md": {"1"}}
    put(after, "a.md", numbered("a", 3))
    assert editions(store) == editions(after) == {"a.md": {"3"}, "b.md": {"1"}}


@pytest.mark.parametrize("delay", [0.0, 0.011, 0.029, 0.053])
def test_a_writer_killed_at_any_moment_never_leaves_half_a_document(
    tmp_path: Path, chroma_url: str | None, delay: float, open_store: OpenStore
) -> None:
    stored = PROCESSES.Value("i", 0)
    writer = PROCESSES.Process(target=put_for_ever, args=(tmp_path, chroma_url, stored))
    writer.start()
    try:
        while stored.value < 2 and writer.is_alive():
            time.sleep(0.001)
        time.sleep(delay)
    finally:
        writer.kill()
        writer.join(60)
    (edition,) = editions(open_store(tmp_path, chroma_url))["a.md"]
    assert stored.value <= int(edition) <= stored.value + 1


def test_a_folder_that_is_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="GUIDE_HOME"):
        Store.open(Settings(home=tmp_path / "file"))


def test_a_damaged_database_is_said_to_be_so(tmp_path: Path, open_store: OpenStore) -> None:
    (tmp_path / "guide.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="move it away"):
        open_store(tmp_path)


def test_a_database_of_another_format_is_refused(tmp_path: Path, open_store: OpenStore) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "guide.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        open_store(tmp_path)


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "guide.sqlite3")) as database:
        with database.writing() as rows:
            rows.execute("PRAGMA max_page_count = 1")  # SQLite takes as many as there are already
        with pytest.raises(StoreError, match=r"disk is full\. Nothing .* is lost"), database.writing() as rows:
            rows.execute("INSERT INTO state VALUES ('more', zeroblob(1000000))")
        assert database.read(tables.read_state) == State(base=database.read(tables.read_state).base)


def test_a_commit_that_fails_keeps_no_transaction_open(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "guide.sqlite3")) as database:
        with database.writing() as rows:
            rows.execute("CREATE TABLE child (of TEXT REFERENCES state (key) DEFERRABLE INITIALLY DEFERRED)")
        rows.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(StoreError), database.writing() as rows:
            rows.execute("INSERT INTO child VALUES ('nobody')")
        with database.writing() as rows:
            assert rows.execute("SELECT count(*) FROM child").fetchone() == (0,)


@pytest.mark.parametrize("harm", ["truncated", "foreign", "gone"])
def test_a_damaged_vector_index_is_made_anew(tmp_path: Path, harm: str, open_store: OpenStore) -> None:
    store = open_store(tmp_path)
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    store.close()
    (folder,) = (tmp_path / "chroma").iterdir()
    if harm == "truncated":
        (folder / "chroma.sqlite3").write_bytes((folder / "chroma.sqlite3").read_bytes()[:5000])
    else:
        while folder.exists():
            with suppress(FileNotFoundError):  # SQLite, closing what was written, has just removed its log
                shutil.rmtree(folder)
    if harm == "foreign":
        client: Any = chromadb.PersistentClient(str(folder))
        client.create_collection("passages", embedding_function=None, configuration={"hnsw": {"space": "l2"}})
        client.close()
    after = open_store(tmp_path)
    assert editions(after) == {"a.md": {"1"}, "b.md": {"1"}}
    put(after, "b.md", numbered("b", 2))
    assert editions(after) == editions(open_store(tmp_path)) == {"a.md": {"1"}, "b.md": {"2"}}


def test_an_index_worn_by_many_changes_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    store = open_store(tmp_path)
    monkeypatch.setattr("kb.store_upkeep.SPARE", 10)
    put(store, "a.md", numbered("a", 1))
    (first,) = (tmp_path / "chroma").iterdir()
    for edition in range(2, 5):
        put(store, "a.md", numbered("a", edition))
        assert editions(store) == {"a.md": {str(edition)}}
    (last,) = (tmp_path / "chroma").iterdir()
    assert last != first


def test_vectors_lost_in_a_crash_are_made_anew(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store(tmp_path)
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    assert in_another_process(put_and_die, tmp_path, None, "kb.store_tables", "write_document") == -signal.SIGKILL
    store.close()
    (folder,) = (tmp_path / "chroma").iterdir()
    client: Any = chromadb.PersistentClient(str(folder))
    client.get_collection("passages", embedding_function=None).delete(where={"source": "b.md"})
    client.close()
    assert editions(open_store(tmp_path)) == {"a.md": {"1"}, "b.md": {"1"}}


def test_a_new_knowledge_base_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    ready = threading.Barrier(4, timeout=60)

    def opened(round_: int) -> int:
        ready.wait()
        database = Database(tmp_path / f"{round_}.sqlite3")
        found = database.read(lambda rows: rows.execute("SELECT count(*) FROM state").fetchone()[0])
        database.close()
        return int(found)

    with ThreadPoolExecutor(4) as together:
        for round_ in range(20):
            assert list(together.map(opened, [round_] * 4)) == [1] * 4
