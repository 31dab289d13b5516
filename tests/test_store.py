"""The store: documents come and go whole, also among threads and processes, and after a crash."""

import multiprocessing
import os
import pkgutil
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.tables import find_tables
from kb import store_tables
from kb.errors import BusyError, ModelError, NotFoundError, StoreError
from kb.records import Repair
from kb.settings import Settings
from kb.store import Change, Store
from kb.store_database import Database
from kb.store_lock import only_writer
from tests.knowledge import DIMENSION, EMBEDDING, document, numbered, put, vector, vectors

# Other processes are forked from one that has only imported what they need.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["chromadb", "tests.knowledge"])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def in_another_process(work: Callable[..., None], *arguments: object) -> int:
    """The exit code of a process that did the work."""
    process = PROCESSES.Process(target=work, args=arguments)
    process.start()
    process.join(60)
    return int(process.exitcode if process.exitcode is not None else 1)


def unswept(home: Path) -> bool:
    """Whether the next writer finds something to sweep."""
    with Database(home / "guide.sqlite3").reading() as rows:
        return bool(store_tables.read_loose(rows))


def put_numbered(home: Path, *editions: tuple[str, int]) -> None:
    store = Store(home)
    for name, edition in editions:
        put(store, name, numbered(name, edition))


def put_and_die(home: Path, owner: str, method: str) -> None:
    """Stores a second edition of `a.md`, but dies when it is to call a method."""
    store = Store(home)
    setattr(pkgutil.resolve_name(owner), method, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    put(store, "a.md", numbered("a", 2))


def put_for_ever(home: Path, stored: "Synchronized[int]") -> None:
    store = Store(home)
    while True:
        put(store, "a.md", numbered("a", stored.value + 1))
        stored.value += 1


def editions(store: Store) -> dict[str, set[str]]:
    """For each document the editions that its passages, its text and its nearest passages are of."""
    found: dict[str, set[str]] = {}
    for passage in store.passages():
        found.setdefault(passage.source, set()).add(passage.text.split()[2])
        nearest = store.nearest(vector(passage.text), 1)[0]
        assert nearest[0] == passage
        assert nearest[1] == pytest.approx(1, abs=1e-5)
    for info in store.documents():
        found.setdefault(info.name, set()).add(store.document(info.id).text.split()[2])
        assert info.passages == sum(passage.source == info.name for passage in store.passages())
    return found


def test_a_stored_document_comes_back_as_it_was(store: Store) -> None:
    repair = Repair(2, 3, "æ", "微", 0.9, ("徵", "徽"))
    stored = replace(
        document("笔记/一 二.md", "# 微调\n\n文字\u2028和😀\r\n"),
        title="微调",
        damage=("cp1254_dropped",),
        repairs=(repair,),
    )
    store.replace(stored, [], np.zeros((0, DIMENSION), np.float32), "p1", EMBEDDING)
    assert store.document("笔记/一 二.md") == store.document(stored.id) == stored
    (info,) = store.documents()
    assert (info.name, info.chars, info.passages, info.repairs, info.damage, info.pipeline) == (
        "笔记/一 二.md",
        len(stored.text),
        0,
        1,
        ("cp1254_dropped",),
        "p1",
    )


def test_passages_come_back_in_document_order(store: Store) -> None:
    second = put(store, "b.md", "# 表\n\n| 甲 | 乙 |\n|---|---|\n| 一 | 二 |\n| 三 | 四 |\n")
    first = put(store, "a.md", numbered("a", 1))
    assert store.passages() == first + second
    assert second[1].header == ("甲", "乙")


def test_nearest_gives_cosine_similarity_best_first(store: Store) -> None:
    passages = put(store, "a.md", numbered("a", 1))
    asked = vector("一个问题")
    expected = sorted((float(asked @ vector(passage.text)) for passage in passages), reverse=True)[:5]
    found = store.nearest(asked, 5)
    assert [score for _, score in found] == pytest.approx(expected, abs=1e-5)
    assert len(store.nearest(asked, 1000)) == len(passages)


def test_an_empty_store_finds_nothing(store: Store) -> None:
    assert (store.version(), store.embedding, store.documents(), store.passages()) == ("", None, [], [])
    assert store.nearest(vector("甲"), 3) == []
    put(store, "a.md", numbered("a", 1))
    assert store.nearest(vector("甲"), 0) == []
    store.delete(document("a.md", "").id)
    with pytest.raises(NotFoundError, match="run `guide ingest`"):
        store.document("a.md")


def test_replacing_leaves_nothing_of_the_old_version(store: Store) -> None:
    put(store, "a.md", numbered("a", 1, 30))
    put(store, "b.md", numbered("b", 1))
    put(store, "a.md", numbered("a", 2, 10))
    assert editions(store) == {"a.md": {"2"}, "b.md": {"1"}}
    assert store.nearest(vector(numbered("a", 1, 1)), 1)[0][1] < 0.999


def test_every_change_gives_another_version(store: Store) -> None:
    versions = [store.version()]
    put(store, "a.md", numbered("a", 1))
    versions.append(store.version())
    put(store, "a.md", numbered("a", 1))
    versions.append(store.version())
    store.delete(document("a.md", "").id)
    versions.append(store.version())
    assert len(set(versions)) == 4
    assert store.version() == versions[-1]


def test_a_deleted_document_is_gone_and_can_come_back(store: Store) -> None:
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    store.delete(document("a.md", "").id)
    assert editions(store) == {"b.md": {"1"}}
    with pytest.raises(NotFoundError, match=r"a\.md.*b\.md"):
        store.document("a.md")
    with pytest.raises(NotFoundError):
        store.delete(document("a.md", "").id)
    put(store, "a.md", numbered("a", 2))
    assert editions(store) == {"a.md": {"2"}, "b.md": {"1"}}


def test_a_renamed_document_takes_the_place_of_the_old_one(store: Store) -> None:
    old = put(store, "old.md", numbered("old", 1))
    new = document("new.md", numbered("new", 1))
    store.replace_all([Change(new, [], vectors([]), "1", instead_of=old[0].document_id)], EMBEDDING)
    assert [info.name for info in store.documents()] == ["new.md"]
    assert store.passages() == []


def test_vectors_that_do_not_fit_are_refused_and_change_nothing(store: Store) -> None:
    passages = put(store, "a.md", numbered("a", 1))
    version = store.version()
    for wrong in (vectors(passages)[:-1], vectors(passages)[0], vectors(passages) * np.float32(np.nan)):
        with pytest.raises(StoreError, match=r"a\.md"):
            store.replace(document("a.md", "甲"), passages, wrong, "1", EMBEDDING)
    assert store.version() == version


def test_a_change_that_fails_midway_changes_nothing(store: Store, tmp_path: Path) -> None:
    put(store, "a.md", numbered("a", 1))
    passages = put(store, "b.md", numbered("b", 1))
    nameless = replace(document("a.md", "甲"), title=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"documents\.title"):
        store.replace(nameless, passages, vectors(passages), "1", EMBEDDING)
    assert editions(store) == editions(Store(tmp_path)) == {"a.md": {"1"}, "b.md": {"1"}}
    assert not unswept(tmp_path)


def test_vectors_of_another_length_are_refused(store: Store) -> None:
    passages = put(store, "a.md", numbered("a", 1))
    with pytest.raises(StoreError, match="16 dimensions, not 3"):
        store.replace(document("b.md", "乙"), passages, np.ones((len(passages), 3), np.float32), "1", EMBEDDING)
    with pytest.raises(StoreError, match="16 dimensions, not 3"):
        store.nearest(np.ones(3, np.float32), 1)


def test_another_embedding_model_is_refused_until_all_is_indexed_anew(store: Store, tmp_path: Path) -> None:
    put(store, "a.md", numbered("a", 1))
    with pytest.raises(StoreError, match="guide ingest"):
        store.require_embedding("other")
    with pytest.raises(StoreError, match="guide ingest"):
        store.replace(document("b.md", "乙"), [], np.zeros((0, 4), np.float32), "1", "other")
    store.reindex(lambda texts: np.array([vector(text)[:4] for text in texts]), "other")
    store.require_embedding("other")
    (passage, score) = store.nearest(vector(store.passages()[3].indexed)[:4], 1)[0]
    assert passage == store.passages()[3]
    assert score == pytest.approx(1, abs=1e-5)
    assert Store(tmp_path).embedding == "other"


def test_a_reindexing_that_fails_leaves_the_old_index(store: Store) -> None:
    put(store, "a.md", numbered("a", 1))

    def broken(texts: Sequence[str]) -> NDArray[np.float32]:
        raise ModelError(f"{len(texts)} texts are too many")

    with pytest.raises(ModelError, match="20 texts"):
        store.reindex(broken, "other")
    assert store.embedding == EMBEDDING
    assert editions(store) == {"a.md": {"1"}}


def test_what_another_process_writes_is_seen(store: Store, tmp_path: Path) -> None:
    put(store, "a.md", numbered("a", 1))
    assert editions(store) == {"a.md": {"1"}}
    version = store.version()
    assert in_another_process(put_numbered, tmp_path, ("a.md", 2), ("b.md", 1)) == 0
    assert store.version() != version
    assert editions(store) == {"a.md": {"2"}, "b.md": {"1"}}
    put(store, "c.md", numbered("c", 1))
    assert editions(Store(tmp_path)) == {"a.md": {"2"}, "b.md": {"1"}, "c.md": {"1"}}


def test_two_writing_processes_lose_nothing(tmp_path: Path) -> None:
    changes = [[(f"{writer}{number % 3}.md", number // 3) for number in range(6)] for writer in "ab"]
    writers = [PROCESSES.Process(target=put_numbered, args=(tmp_path, *some)) for some in changes]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(100)
        assert writer.exitcode == 0
    assert editions(Store(tmp_path)) == {f"{writer}{number}.md": {"1"} for writer in "ab" for number in range(3)}


def test_threads_read_whole_versions_while_others_write(store: Store) -> None:
    put(store, "a.md", numbered("a", 0))
    seen: list[set[str]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append({passage.text.split()[2] for passage in store.passages()})
            assert len(store.nearest(vector("甲"), 20)) == 20

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for edition in range(1, 8):
        put(store, "a.md", numbered("a", edition))
    done.set()
    for reader in readers:
        reader.join()
    assert all(len(edition) == 1 for edition in seen)
    assert len(set.union(*seen)) > 1


def test_a_writer_waits_for_another_and_then_says_who_keeps_it(tmp_path: Path) -> None:
    with (
        only_writer(tmp_path),
        pytest.raises(BusyError, match="another process is writing"),
        only_writer(tmp_path, patience=0.05),
    ):
        pass


@pytest.mark.parametrize(
    ("owner", "method", "edition"),
    [
        ("kb.store_vectors:VectorIndex", "put", "1"),
        ("kb.store_tables", "remove_documents", "1"),
        ("kb.store_tables", "write_document", "1"),
        ("kb.store_vectors:VectorIndex", "forget", "2"),
        ("kb.store_tables", "clear_loose", "2"),
    ],
)
def test_a_writer_killed_at_any_step_leaves_the_old_version_or_the_new_one(
    store: Store, tmp_path: Path, owner: str, method: str, edition: str
) -> None:
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    assert in_another_process(put_and_die, tmp_path, owner, method) == -signal.SIGKILL
    assert unswept(tmp_path)
    assert editions(store) == {"a.md": {edition}, "b.md": {"1"}}
    after = Store(tmp_path)
    assert not unswept(tmp_path)
    assert editions(after) == {"a.md": {edition}, "b.md": {"1"}}
    put(after, "a.md", numbered("a", 3))
    assert editions(store) == editions(after) == {"a.md": {"3"}, "b.md": {"1"}}


@pytest.mark.parametrize("delay", [0.0, 0.011, 0.029, 0.053])
def test_a_writer_killed_at_any_moment_never_leaves_half_a_document(tmp_path: Path, delay: float) -> None:
    stored = PROCESSES.Value("i", 0)
    writer = PROCESSES.Process(target=put_for_ever, args=(tmp_path, stored))
    writer.start()
    while stored.value < 2:
        time.sleep(0.001)
    time.sleep(delay)
    writer.kill()
    writer.join()
    (edition,) = editions(Store(tmp_path))["a.md"]
    assert stored.value <= int(edition) <= stored.value + 1


def test_a_folder_that_is_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="GUIDE_HOME"):
        Store.open(Settings(home=tmp_path / "file"))


def test_a_damaged_database_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "guide.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="move it away"):
        Store(tmp_path)


def test_a_database_of_another_format_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "guide.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="format 99"):
        Store(tmp_path)


@pytest.mark.parametrize("harm", ["truncated", "foreign", "gone"])
def test_a_damaged_vector_index_is_made_anew(store: Store, tmp_path: Path, harm: str) -> None:
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    store.close()
    (folder,) = (tmp_path / "chroma").iterdir()
    if harm == "truncated":
        (folder / "chroma.sqlite3").write_bytes((folder / "chroma.sqlite3").read_bytes()[:5000])
    else:
        shutil.rmtree(folder)
    if harm == "foreign":
        client: Any = chromadb.PersistentClient(str(folder))
        client.create_collection("passages", embedding_function=None, configuration={"hnsw": {"space": "l2"}})
        client.close()
    after = Store(tmp_path)
    assert editions(after) == {"a.md": {"1"}, "b.md": {"1"}}
    put(after, "b.md", numbered("b", 2))
    assert editions(after) == editions(Store(tmp_path)) == {"a.md": {"1"}, "b.md": {"2"}}


def test_an_index_worn_by_many_changes_is_made_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb.store.SPARE", 10)
    put(store, "a.md", numbered("a", 1))
    (first,) = (tmp_path / "chroma").iterdir()
    for edition in range(2, 5):
        put(store, "a.md", numbered("a", edition))
        assert editions(store) == {"a.md": {str(edition)}}
    (last,) = (tmp_path / "chroma").iterdir()
    assert last != first


def test_vectors_lost_in_a_crash_are_made_anew(store: Store, tmp_path: Path) -> None:
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    assert in_another_process(put_and_die, tmp_path, "kb.store_tables", "write_document") == -signal.SIGKILL
    store.close()
    (folder,) = (tmp_path / "chroma").iterdir()
    client: Any = chromadb.PersistentClient(str(folder))
    client.get_collection("passages", embedding_function=None).delete(where={"source": "b.md"})
    client.close()
    assert editions(Store(tmp_path)) == {"a.md": {"1"}, "b.md": {"1"}}


def test_tables_are_kept_with_their_document_and_go_with_it(store: Store) -> None:
    stored = document("a.md", "# 表\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    put(store, "b.md", "别的文档。")
    tables = find_tables(stored)
    store.replace_all([Change(stored, [], np.zeros((0, DIMENSION), np.float32), "1", tables=tables)], EMBEDDING)
    assert store.tables() == store.tables([stored.id]) == tables
    assert store.tables([]) == store.tables(["other"]) == []
    put(store, "a.md", "现在没有表。")
    assert store.tables() == []


def test_a_store_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    put_numbered(tmp_path, ("a.md", 1))
    with sqlite3.connect(tmp_path / "guide.sqlite3") as connection:
        connection.execute("DROP TABLE tables")
        connection.execute("PRAGMA user_version = 1")
    store = Store(tmp_path)
    assert store.tables() == []
    assert put(store, "b.md", "新的文档。")
    assert [info.name for info in store.documents()] == ["a.md", "b.md"]
