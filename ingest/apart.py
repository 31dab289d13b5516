"""Documents read in a process of their own, so that restoring one never holds up the questions of others."""

import threading

from ingest.documents import ReadDocument, read_document
from ingest.process import WorkerProcess
from kb.errors import InputError, WorkerError
from kb.records import RawDocument

__all__ = ["ReadingProcess"]

NICENESS = 10  # it gives way to answers
MEMORY = 8_000_000_000  # bytes, twice what a damaged document of 20 MB takes
PATIENCE = 60, 300  # seconds for any document, and for each megabyte: ten times what a damaged one takes, or more


class ReadingProcess:
    """Does what `read_document` does, one document at a time; the process starts with the first and stays."""

    def __init__(self) -> None:
        self._worker: WorkerProcess[RawDocument, ReadDocument] | None = None
        self._lock = threading.Lock()

    def __call__(self, raw: RawDocument) -> ReadDocument:
        """As `read_document`.

        Raises:
            InputError: the bytes are no document that can be read, or not in a time that lets others have their turn.
            WorkerError: the process was killed; the next document gets a new one.
        """
        at_all, a_megabyte = PATIENCE
        seconds = at_all + a_megabyte * len(raw.data) / 1_000_000
        with self._lock:
            worker = self._started()
            try:
                worker.send(raw)
                return worker.receive(seconds)
            except TimeoutError as problem:
                worker.close()
                raise InputError(
                    f"{raw.name}: not read after {seconds:.0f} seconds. Use `guide ingest`, or split the file."
                ) from problem
            except WorkerError as problem:
                raise WorkerError(
                    f"{raw.name}: the process that read it was killed, perhaps for want of memory. "
                    "Try again, or split the file."
                ) from problem

    def close(self) -> None:
        """Ends the process when it has finished what it reads."""
        with self._lock:
            if self._worker is not None:
                self._worker.close()
            self._worker = None

    def _started(self) -> WorkerProcess[RawDocument, ReadDocument]:
        if self._worker is not None and self._worker.ended:
            self._worker.close()
            self._worker = None
        if self._worker is None:
            self._worker = WorkerProcess(read_document, NICENESS, MEMORY)
        return self._worker
