"""The store: documents come and go whole, also among threads and processes."""

import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.tables import find_tables
from kb.errors import BusyError, ModelError, NotFoundError, StoreError
from kb.records import Repair
from kb.store import Change, Store
from kb.store_lock import only_writer
from kb.store_tables import passage_of, record_of
from tests.knowledge import DIMENSION, EMBEDDING, OpenStore, document, editions, numbered, put, vector, vectors
from tests.store_processes import PROCESSES, in_another_process, put_numbered, unswept


@pytest.fixture
def store(tmp_path: Path, chroma_url: str | None, open_store: OpenStore) -> Store:
    return open_store(tmp_path, chroma_url)


def test_a_stored_document_comes_back_as_it_was(store: Store) -> None:
    repair = Repair(2, 3, "æ", "微", 0.9, ("徵", "徽"))
    stored = replace(
        document("笔记/一 二.md", "# 微调\n\n文字\u2028和😀\r\n"),
        title="微调",
        damage=("cp1254_dropped",),
        repairs=(repair,),
        page_starts=(1, 3),
        received="# å¾®è°ƒ\n\næ–‡å—\u2028å’ŒðŸ˜€\r\n",
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


def test_a_change_that_fails_midway_changes_nothing(
    store: Store, tmp_path: Path, chroma_url: str | None, open_store: OpenStore
) -> None:
    put(store, "a.md", numbered("a", 1))
    passages = put(store, "b.md", numbered("b", 1))
    nameless = replace(document("a.md", "甲"), title=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"documents\.title"):
        store.replace(nameless, passages, vectors(passages), "1", EMBEDDING)
    assert editions(store) == editions(open_store(tmp_path, chroma_url)) == {"a.md": {"1"}, "b.md": {"1"}}
    assert not unswept(tmp_path)


def test_vectors_of_another_length_are_refused(store: Store) -> None:
    passages = put(store, "a.md", numbered("a", 1))
    with pytest.raises(StoreError, match="16 dimensions, not 3"):
        store.replace(document("b.md", "乙"), passages, np.ones((len(passages), 3), np.float32), "1", EMBEDDING)
    with pytest.raises(StoreError, match="16 dimensions, not 3"):
        store.nearest(np.ones(3, np.float32), 1)


def test_another_embedding_model_is_refused_until_all_is_indexed_anew(
    store: Store, tmp_path: Path, chroma_url: str | None, open_store: OpenStore
) -> None:
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
    assert open_store(tmp_path, chroma_url).embedding == "other"


def test_a_reindexing_that_fails_leaves_the_old_index(store: Store) -> None:
    put(store, "a.md", numbered("a", 1))

    def broken(texts: Sequence[str]) -> NDArray[np.float32]:
        raise ModelError(f"{len(texts)} texts are too many")

    with pytest.raises(ModelError, match="20 texts"):
        store.reindex(broken, "other")
    assert store.embedding == EMBEDDING
    assert editions(store) == {"a.md": {"1"}}


def test_what_another_process_writes_is_seen(
    store: Store, tmp_path: Path, chroma_url: str | None, open_store: OpenStore
) -> None:
    put(store, "a.md", numbered("a", 1))
    assert editions(store) == {"a.md": {"1"}}
    version = store.version()
    assert in_another_process(put_numbered, tmp_path, chroma_url, ("a.md", 2), ("b.md", 1)) == 0
    assert store.version() != version
    assert editions(store) == {"a.md": {"2"}, "b.md": {"1"}}
    put(store, "c.md", numbered("c", 1))
    assert editions(open_store(tmp_path, chroma_url)) == {"a.md": {"2"}, "b.md": {"1"}, "c.md": {"1"}}


def test_two_writing_processes_lose_nothing(tmp_path: Path, chroma_url: str | None, open_store: OpenStore) -> None:
    changes = [[(f"{writer}{number % 3}.md", number // 3) for number in range(6)] for writer in "ab"]
    writers = [PROCESSES.Process(target=put_numbered, args=(tmp_path, chroma_url, *some)) for some in changes]
    for writer in writers:
        writer.start()
    try:
        for writer in writers:
            writer.join(100)
            assert writer.exitcode == 0
    finally:
        for writer in writers:
            writer.kill()
    assert editions(open_store(tmp_path, chroma_url)) == {
        f"{writer}{number}.md": {"1"} for writer in "ab" for number in range(3)
    }


def test_threads_read_whole_versions_while_others_write(store: Store) -> None:
    put(store, "a.md", numbered("a", 0))
    seen: list[set[str]] = []
    done, news = threading.Event(), threading.Condition()

    def read_on() -> None:
        while not done.is_set():
            read = {passage.text.split()[2] for passage in store.passages()}
            with news:
                seen.append(read)
                news.notify()
            assert len(store.nearest(vector("甲"), 20)) == 20

    readers = [threading.Thread(target=read_on) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for edition in range(1, 8):
            put(store, "a.md", numbered("a", edition))
            with news:
                news.wait(60)  # until somebody has read again
    finally:
        done.set()
        for reader in readers:
            reader.join(60)
    assert all(len(edition) == 1 for edition in seen)
    assert len(set.union(*seen)) > 1


def test_a_writer_waits_for_another_and_then_says_who_keeps_it(tmp_path: Path) -> None:
    with (
        only_writer(tmp_path),
        pytest.raises(BusyError, match="another process is writing"),
        only_writer(tmp_path, patience=0.05),
    ):
        pass


@pytest.mark.parametrize("problem", [TimeoutError("the model took too long"), FileNotFoundError(2, "no such file")])
def test_what_fails_while_one_writes_is_not_told_as_a_folder_that_can_not_be_written(
    tmp_path: Path, open_store: OpenStore, problem: OSError
) -> None:
    store = open_store(tmp_path)
    put(store, "a.md", "alpha")

    def embed(_: Sequence[str]) -> NDArray[np.float32]:
        raise problem

    with pytest.raises(type(problem)) as raised:
        store.reindex(embed, "another")
    assert raised.value is problem
    put(store, "b.md", "beta")


def test_a_store_opens_while_another_process_writes_for_long(
    tmp_path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a large knowledge base is indexed anew, in one transaction."""
    monkeypatch.setattr("kb.store_database.PATIENCE_SECONDS", 0)
    put(open_store(tmp_path), "a.md", "alpha")
    with closing(sqlite3.connect(tmp_path / "guide.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store = open_store(tmp_path)
        assert [info.name for info in store.documents()] == ["a.md"]
        with pytest.raises(BusyError, match=r"another process is writing.*Try again"):
            put(store, "b.md", "beta")
    put(store, "b.md", "beta")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files as Linux tells them")
def test_threads_that_have_ended_leave_no_files_open(tmp_path: Path, open_store: OpenStore) -> None:
    store = open_store(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        reader = threading.Thread(target=store.documents)
        reader.start()
        reader.join()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 4


def test_content_that_another_writer_brought_meanwhile_is_not_stored_twice(store: Store) -> None:
    put(store, "a.md", numbered("x", 1))
    copy, new = document("copy.md", numbered("x", 1)), document("new.md", numbered("y", 1))
    twins = store.replace_all([Change(each, [], vectors([]), "1") for each in (copy, new)], EMBEDDING)
    assert twins == {copy.id: document("a.md", "").id}
    assert [info.name for info in store.documents()] == ["a.md", "new.md"]
    version = store.version()
    assert store.replace_all([Change(copy, [], vectors([]), "1")], EMBEDDING) == twins
    assert store.version() == version


def test_tables_are_kept_with_their_document_and_go_with_it(store: Store) -> None:
    stored = document("a.md", "# 表\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    put(store, "b.md", "别的文档。")
    tables = find_tables(stored)
    store.replace_all([Change(stored, [], np.zeros((0, DIMENSION), np.float32), "1", tables=tables)], EMBEDDING)
    assert store.tables() == store.tables([stored.id]) == tables
    assert store.tables([]) == store.tables(["other"]) == []
    put(store, "a.md", "现在没有表。")
    assert store.tables() == []


def test_what_was_stored_before_there_were_pages_is_read(store: Store) -> None:
    (passage,) = put(store, "a.pdf", "一段文字。")
    stored = json.loads(record_of(passage))
    del stored["pages"]
    assert passage_of(json.dumps(stored)) == passage
    assert store.document("a.pdf").page_starts == ()


def test_a_store_of_the_first_format_is_brought_up_to_date(tmp_path: Path, open_store: OpenStore) -> None:
    put_numbered(tmp_path, None, ("a.md", 1))
    with closing(sqlite3.connect(tmp_path / "guide.sqlite3")) as connection:
        connection.executescript("DROP TABLE tables; DROP TABLE lines; PRAGMA user_version = 1")
    store = open_store(tmp_path)
    assert store.tables() == []
    assert store.lines([("gone", 0)]) == [None]
    assert put(store, "b.md", "新的文档。")
    assert [info.name for info in store.documents()] == ["a.md", "b.md"]
