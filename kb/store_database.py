"""One SQLite file that is changed only in whole transactions."""

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from kb.errors import BusyError, StoreError

# Each step brings a database of the format before it to the next one; a new database takes them all.
STEPS = (
    """
CREATE TABLE state (key TEXT PRIMARY KEY, value NOT NULL);
CREATE TABLE documents (
    id TEXT PRIMARY KEY, generation TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL, sha256 TEXT NOT NULL,
    encoding TEXT NOT NULL, chars INTEGER NOT NULL, passages INTEGER NOT NULL, damage TEXT NOT NULL,
    repairs INTEGER NOT NULL, pipeline TEXT NOT NULL, content BLOB NOT NULL
);
CREATE TABLE passages (
    generation TEXT NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (generation, number)
) WITHOUT ROWID;
CREATE TABLE loose (generation TEXT NOT NULL);
""",
    """
CREATE TABLE tables (
    generation TEXT NOT NULL, number INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (generation, number)
) WITHOUT ROWID;
""",
    """
CREATE TABLE lines (
    generation TEXT NOT NULL, number INTEGER NOT NULL, vectors BLOB NOT NULL, PRIMARY KEY (generation, number)
);
""",
)
FORMAT = len(STEPS)
PATIENCE_SECONDS = 60  # for another process to finish its transaction
IF_DAMAGED = "If the file is damaged, move it away and run `guide ingest` again."
TOLD = {
    sqlite3.SQLITE_FULL: "the disk is full. Nothing that was stored is lost; make room and try again.",
    sqlite3.SQLITE_READONLY: "the knowledge base can't be written there, only searched. "
    "See to its folder, or set GUIDE_HOME to another one.",
    sqlite3.SQLITE_CANTOPEN: "the knowledge base can't be opened there. "
    "See to the rights of its folder, or set GUIDE_HOME to another one.",
}

T = TypeVar("T")


class Database:
    """One SQLite file, for several threads and processes; a `with` block around it is one transaction.

    One that is `read_only`, because the folder can't be written, is only read, while nobody writes to it.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self._file, self._read_only = file, read_only
        self._open: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        if self.read(_format) != FORMAT:  # else nothing is to be written, and who writes for long is not waited for
            with self.writing() as rows:
                self._bring_up(rows)

    def _bring_up(self, rows: sqlite3.Connection) -> None:
        """Makes the tables that this version has and the file has not."""
        written = _format(rows)
        if not 0 <= written <= FORMAT:
            raise StoreError(
                f"{self._file}: written by another version of guide (format {written}, not {FORMAT}). "
                "Move the folder away and run `guide ingest`, or set GUIDE_HOME."
            )
        for statement in ";".join(STEPS[written:]).split(";"):
            rows.execute(statement)
        rows.execute(f"PRAGMA user_version = {FORMAT}")
        rows.execute("INSERT OR IGNORE INTO state VALUES ('base', ?)", [uuid.uuid4().hex[:16]])

    def close(self) -> None:
        with self._guard:
            for connection in self._open.values():
                connection.close()

    def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """What single statements read: each sees one state of the database, and no transaction is spent on them."""
        try:
            return read(self._connection())
        except sqlite3.Error as problem:
            raise self._failure(problem) from problem

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the database, whatever others write meanwhile."""
        with self._transaction("BEGIN") as rows:
            yield rows

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A change that takes place as a whole when the block ends, or not at all."""
        with self._transaction("BEGIN IMMEDIATE") as rows:
            yield rows

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            rows = self._connection()
            rows.execute(begin)
            try:
                yield rows
                rows.commit()  # which, if it fails, leaves the transaction open
            except BaseException:
                rows.rollback()
                raise
        except sqlite3.Error as problem:
            raise self._failure(problem) from problem

    def _failure(self, problem: sqlite3.Error) -> StoreError | BusyError:
        code = getattr(problem, "sqlite_errorcode", 0) & 0xFF  # an extended code has more above
        if code == sqlite3.SQLITE_BUSY:
            return BusyError(
                f"{self._file}: another process is writing to the knowledge base. Try again when it is done."
            )
        told = TOLD.get(code) or f"the knowledge base can't be read or written ({problem}). {IF_DAMAGED}"
        return StoreError(f"{self._file}: {told}")

    def _connection(self) -> sqlite3.Connection:
        """The connection of this thread; those of threads that have ended are closed when a new one is opened."""
        connection = self._open.get(threading.current_thread())
        if connection is None:
            connection = self._to_be_read() if self._read_only else self._to_be_written()
            with self._guard:
                for ended in [thread for thread in self._open if not thread.is_alive()]:
                    self._open.pop(ended).close()
                self._open[threading.current_thread()] = connection
        return connection

    def _to_be_written(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._file, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        with FileLock(self._file.with_name("opening.lock")):  # SQLite waits for none here: of two one would fail
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _to_be_read(self) -> sqlite3.Connection:
        """Without a log beside it the file is all there is, and SQLite need not make the log that it can't."""
        how = "mode=ro" if self._file.with_name(f"{self._file.name}-wal").exists() else "immutable=1"
        place = f"{self._file.absolute().as_uri()}?{how}"
        return sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)


def _format(rows: sqlite3.Connection) -> int:
    """How many of the steps a database has taken."""
    return int(rows.execute("PRAGMA user_version").fetchone()[0])
