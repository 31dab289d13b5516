"""What other processes do to a store, for tests of what becomes of it."""

import multiprocessing
import os
import pkgutil
import signal
from collections.abc import Callable
from contextlib import closing
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from kb import store_tables
from kb.store import Store
from kb.store_database import Database
from tests.knowledge import numbered, put

# Other processes are forked from one that has only imported what they need.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["chromadb", "tests.knowledge"])


def in_another_process(work: Callable[..., None], *arguments: object) -> int:
    """The exit code of a process that did the work."""
    process = PROCESSES.Process(target=work, args=arguments)
    process.start()
    try:
        process.join(60)
    finally:
        process.kill()
        process.join(60)
    return int(process.exitcode if process.exitcode is not None else 1)


def unswept(home: Path) -> bool:
    """Whether the next writer finds something to sweep."""
    with closing(Database(home / "guide.sqlite3")) as database, database.reading() as rows:
        return bool(store_tables.read_loose(rows))


def put_numbered(home: Path, chroma_url: str | None, *editions: tuple[str, int]) -> None:
    with closing(Store(home, chroma_url)) as store:
        for name, edition in editions:
            put(store, name, numbered(name, edition))


def put_when_told(home: Path, told: "Connection[str, str]") -> None:
    """Stores each name that comes in, in the next edition of all, and says so; ends when no more can come."""
    store = Store(home)
    for edition in count(1):
        try:
            name = told.recv()
        except EOFError:
            return
        put(store, name, numbered(name, edition))
        told.send(name)


def put_and_die(home: Path, chroma_url: str | None, owner: str, method: str) -> None:
    """Stores a second edition of `a.md`, but dies when it is to call a method."""
    store = Store(home, chroma_url)
    setattr(pkgutil.resolve_name(owner), method, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
    put(store, "a.md", numbered("a", 2))


def put_for_ever(home: Path, chroma_url: str | None, stored: "Synchronized[int]") -> None:
    store = Store(home, chroma_url)
    while True:
        put(store, "a.md", numbered("a", stored.value + 1))
        stored.value += 1
