"""A knowledge base whose folder can't be written: searched all the same, and never changed."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from api.services import Services
from kb.errors import StoreError
from kb.lexical import LexicalIndex
from kb.settings import Settings
from kb.store import Store
from tests.knowledge import OpenStore, document, editions, numbered, put

Lock = Callable[[Path], None]
WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@pytest.fixture
def lock() -> Iterator[Lock]:
    """Takes the right to write to anything in a folder, which comes back after the test."""
    modes: dict[Path, int] = {}

    def take(folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            modes[path] = path.stat().st_mode
            path.chmod(modes[path] & ~WRITE)
        if os.access(folder, os.W_OK):
            pytest.skip("whoever runs the tests may write everywhere")

    yield take
    for path, mode in modes.items():
        if path.exists():  # SQLite's log goes with the last that has it open
            path.chmod(mode)


@pytest.fixture
def home(tmp_path: Path, open_store: OpenStore) -> Path:
    store = open_store(tmp_path / "home")
    put(store, "a.md", numbered("a", 1))
    store.close()
    return tmp_path / "home"


def test_it_is_searched_and_not_changed(home: Path, lock: Lock, open_store: OpenStore) -> None:
    lock(home)
    store = open_store(home)
    assert editions(store) == {"a.md": {"1"}}
    found = LexicalIndex.open(store, Settings(home=home)).search("参数高效微调", 3)
    assert len(found) == 3
    with pytest.raises(StoreError, match=r"only searched.*GUIDE_HOME"):
        put(store, "b.md", numbered("b", 1))
    with pytest.raises(StoreError, match=r"only searched.*GUIDE_HOME"):
        store.delete(document("a.md", "").id)
    assert editions(store) == {"a.md": {"1"}}
    assert not (home / "lexical").exists()


def test_a_file_that_is_somebody_elses_is_searched_too(home: Path, lock: Lock, open_store: OpenStore) -> None:
    lock(home / "guide.sqlite3")
    store = open_store(home)
    assert editions(store) == {"a.md": {"1"}}
    with pytest.raises(StoreError, match=r"only searched.*GUIDE_HOME"):
        put(store, "b.md", numbered("b", 1))


def test_what_only_the_log_has_is_seen(home: Path, lock: Lock, open_store: OpenStore) -> None:
    with closing(sqlite3.connect(home / "guide.sqlite3")) as other:
        other.execute("UPDATE documents SET title = 'in the log'")
        other.commit()
        assert (home / "guide.sqlite3-wal").stat().st_size
        lock(home)
        assert [info.title for info in open_store(home).documents()] == ["in the log"]


def test_what_a_dead_writer_left_stays_for_the_next_one(home: Path, lock: Lock, open_store: OpenStore) -> None:
    with closing(sqlite3.connect(home / "guide.sqlite3")) as other:
        other.execute("INSERT INTO loose VALUES ('half')")
        other.commit()
    lock(home)
    assert editions(open_store(home)) == {"a.md": {"1"}}


def test_a_damaged_index_is_said_to_be_so(home: Path, lock: Lock, open_store: OpenStore) -> None:
    (file,) = (home / "chroma").glob("*/chroma.sqlite3")
    file.write_bytes(b"no database" * 100)
    lock(home)
    with pytest.raises(StoreError, match="vector index is damaged"):
        editions(open_store(home))


def test_the_guide_answers_from_there(spare_home: Path, tmp_path: Path, lock: Lock) -> None:
    home = shutil.copytree(spare_home, tmp_path / "home")
    lock(home)
    with Services(Settings(home=home)) as services:
        assert services.ask("什么是 LoRA？").citations


def test_a_folder_where_nothing_can_be_made_is_named(tmp_path: Path, lock: Lock) -> None:
    lock(tmp_path)
    for home in (tmp_path, tmp_path / "below"):
        with pytest.raises(StoreError, match=r"GUIDE_HOME"):
            Store.open(Settings(home=home))
