"""Documents read in a process of their own, so that restoring one never holds up the questions of others."""

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

from ingest.pipeline import ReadDocument, read_document
from kb.errors import WorkerError
from kb.records import RawDocument

__all__ = ["ReadingProcess"]

NICENESS = 10


class ReadingProcess:
    """Does what `read_document` does, one document at a time; the process starts with the first and stays."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def __call__(self, raw: RawDocument) -> ReadDocument:
        """As `read_document`.

        Raises:
            InputError: the bytes are no text.
            WorkerError: the process was killed; the next document gets a new one.
        """
        pool = self._started()
        try:
            return pool.submit(read_document, raw).result()
        except BrokenProcessPool as problem:
            self.close()
            raise WorkerError(
                f"{raw.name}: the process that read it was killed, perhaps for want of memory. "
                "Try again, or split the file."
            ) from problem

    def close(self) -> None:
        """Ends the process when it has finished what it reads."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_settle)
            return self._pool


def _settle() -> None:
    """In the process: gives way to answers, leaves Ctrl-C to the parent, and ends when that one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
