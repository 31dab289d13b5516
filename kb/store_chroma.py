"""Where Chroma keeps vector indexes: folders of this machine, or a server that several knowledge bases may share."""

import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from kb.errors import StoreError, UnreachableError
from kb.settings import shown_address
from kb.store_vectors import VectorIndex, in_our_terms

PATIENCE_SECONDS = 10  # for a server to say that it is there
REQUEST_SECONDS = 300  # for it to store a batch
_spellings = count()


class Chroma(Protocol):
    """Vector indexes by name."""

    def open(self, name: str) -> VectorIndex:
        """The index of this name; made when there is none.

        Raises:
            VectorsError: Chroma can't open it.
            UnreachableError: there is no server.
        """

    def remove_others(self, name: str | None) -> None:
        """Removes all indexes of this knowledge base but the one with this name."""

    def close(self) -> None:
        """Lets go of what is shared by the indexes."""


class ChromaFolder:
    """Each index in a folder of its own: a damaged one can be removed whatever state it is in."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._folder, self._read_only = folder, read_only

    def open(self, name: str) -> VectorIndex:
        import chromadb
        from chromadb.config import Settings

        advice = f"See whether {self._folder.parent}, set as GUIDE_HOME, is full or closed."
        with ExitStack() as closing_all:
            folder = self._folder / name
            if self._read_only:
                folder = closing_all.enter_context(_copied(folder))
            elif not folder.exists():
                _prepare(folder)
            # Chroma shares one client, stale vectors included, among all who spell a folder alike.
            spelling = f"{folder}/{'./' * (next(_spellings) % 256)}"
            with in_our_terms(advice):
                client: Any = chromadb.PersistentClient(spelling, settings=Settings(anonymized_telemetry=False))
            closing_all.callback(client.close)
            return VectorIndex(client, "passages", advice, closing_all.pop_all().close)

    def remove_others(self, name: str | None) -> None:
        for other in self._folder.glob("*"):
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)

    def close(self) -> None:
        """Nothing: every index has its own client."""


def _prepare(folder: Path) -> None:
    """Makes Chroma's database, empty, for Chroma to find: one that writes to a log first.

    Chroma holds up all threads of the process while it writes, with a log a third as long. Once Chroma has opened the
    database, nobody else in the process may: closing a file drops all locks that the process has on it (fcntl).
    """
    with suppress(sqlite3.Error, OSError):  # then Chroma makes it in its own way, or says what is wrong
        folder.mkdir(parents=True)
        with closing(sqlite3.connect(folder / "chroma.sqlite3")) as database:
            database.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _copied(folder: Path) -> Iterator[Path]:
    """A copy that Chroma can write to, which it does even to search.

    Raises:
        StoreError: there is no room for it.
    """
    with TemporaryDirectory(prefix="guide-", ignore_cleanup_errors=True) as place:
        try:
            copy = shutil.copytree(folder, Path(place, "copy"), copy_function=shutil.copyfile)
            for each in (copy, *filter(Path.is_dir, copy.rglob("*"))):
                each.chmod(stat.S_IRWXU)
        except (OSError, shutil.Error) as problem:
            raise StoreError(f"{folder}: searching it needs a copy in {place}, which failed ({problem}).") from problem
        yield copy


class ChromaServer:
    """Each index a collection of the server, told from those of other knowledge bases by `prefix`."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._advice = f"See whether the server at {shown_address(url)} runs, or set GUIDE_CHROMA_URL."
        self._guard = threading.Lock()
        self._client: Any = None

    def open(self, name: str) -> VectorIndex:
        return VectorIndex(self._connected(), self._prefix + name, self._advice, lambda: None)

    def remove_others(self, name: str | None) -> None:
        client = self._connected()
        with in_our_terms(self._advice):
            for other in client.list_collections():
                if other.name.startswith(self._prefix) and other.name != f"{self._prefix}{name}":
                    client.delete_collection(other.name)

    def close(self) -> None:
        with self._guard:
            if self._client:
                self._client.close()
                self._client = None

    def _connected(self) -> Any:
        """The client that all indexes share."""
        import chromadb
        from chromadb.config import Settings

        with self._guard:
            if self._client is None:
                self._check()
                with in_our_terms(self._advice):
                    self._client = chromadb.HttpClient(self._url, settings=Settings(anonymized_telemetry=False))
                # Chroma 1.5 itself sets no limit, and would wait for ever for a server that hangs.
                self._client._server._session.timeout = REQUEST_SECONDS  # noqa: SLF001
            return self._client

    def _check(self) -> None:
        """Raises UnreachableError unless a Chroma server answers soon: Chroma's client would wait for ever."""
        import httpx

        try:
            answer = httpx.get(f"{self._url}/api/v2/heartbeat", timeout=PATIENCE_SECONDS)
            alive = "nanosecond heartbeat" in answer.json()
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise UnreachableError(f"The Chroma server doesn't answer ({problem}). {self._advice}") from problem
        except (ValueError, TypeError):  # no JSON, or no object
            alive = False
        if not alive:
            raise UnreachableError(f"What answers is no Chroma server of version 1. {self._advice}")
