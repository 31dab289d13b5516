"""Documents that are sent: each waits its turn, is read in a process of its own, and is found by the next question."""

import shutil
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import BinaryIO

from api.jobs import Job, JobQueue, Tell
from ingest.apart import ReadingProcess
from ingest.documents import ReadDocument
from ingest.files import readable_name
from ingest.pipeline import Ingested, Pipeline, check_sent
from kb.errors import DuplicateError
from kb.records import RawDocument
from kb.settings import Settings
from kb.store import Store
from models.embed import Embedder

__all__ = ["Intake"]

MOST_WAITING = 32


class Intake:
    """Takes documents into the store one after another; `follow` is told when there is a new one to be found."""

    def __init__(
        self, store: Store, embedder: Callable[[], Embedder], settings: Settings, follow: Callable[[], object]
    ) -> None:
        self.jobs = JobQueue[Ingested]("ingest", MOST_WAITING)
        self._store, self._embedder, self._settings, self._follow = store, embedder, settings, follow
        self._reading = ReadingProcess()

    def send(self, name: str, data: BinaryIO, size: int) -> Job[Ingested]:
        """Puts a document at the end of the queue; its bytes are copied into a file that has no name.

        The job raises DuplicateError if its content is there already, and whatever else keeps it from being taken in.

        Raises:
            InputError: it can't be taken in under this name.
            TooLargeError: it is larger than `max_document_mb`.
            BusyError: too many documents are waiting.
        """
        name = readable_name(name)
        check_sent(name, size, self._settings)
        kept = TemporaryFile()  # noqa: SIM115 - whoever takes it in closes it
        try:
            shutil.copyfileobj(data, kept)
            return self.jobs.submit(name, lambda tell: self._take_in(name, kept, tell))
        except BaseException:
            kept.close()
            raise

    def delete(self, document_id: str) -> None:
        """Removes a document; raises NotFoundError if there is none with this id."""
        self._store.delete(document_id)
        self._follow()

    def close(self) -> None:
        """Takes nothing more, and finishes all that was sent."""
        self.jobs.close()
        self._reading.close()

    def _take_in(self, name: str, kept: BinaryIO, tell: Tell) -> Ingested:
        def read(raw: RawDocument) -> ReadDocument:
            tell("reading", 0.1)
            document = self._reading(raw)
            tell("storing", 0.7)
            return document

        with kept:
            kept.seek(0)
            data = kept.read()
        outcome = Pipeline(self._store, self._embedder, self._settings, read).ingest_bytes(name, data)
        if outcome.failure:
            raise outcome.failure
        if outcome.status == "unchanged":
            there = self._store.document(outcome.document_id).name
            raise DuplicateError(
                f"{name}: its content is there already, as {there}. Delete that one first to take it in anew.",
                outcome.document_id,
            )
        tell("indexing", 0.9)
        self._follow()
        return outcome
