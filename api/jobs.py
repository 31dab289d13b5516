"""Work that takes a while: it waits for its turn, is done one piece at a time, and can be asked after by its id."""

import logging
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, Literal, TypeVar

from kb.errors import BusyError, GuideError, NotFoundError

__all__ = ["Job", "JobQueue", "Tell"]

REMEMBERED = 1000

_log = logging.getLogger("guide")

T = TypeVar("T")
State = Literal["queued", "running", "done", "failed"]
Tell = Callable[[str, float], None]
"""Takes the stage that a job is in, and the share of it that is done."""


class Job(Generic[T]):
    """A piece of work; `finished` is what comes of it, `progress` the share that is done."""

    def __init__(self, name: str, work: Callable[[Tell], T]) -> None:
        self.id = uuid.uuid4().hex
        self.name = name
        self.state: State = "queued"
        self.stage: str = "queued"
        self.progress = 0.0
        self.finished: Future[T] = Future()
        self._work: Callable[[Tell], T] | None = work

    def run(self) -> None:
        """Does the work; whatever goes wrong goes to `finished`."""
        assert self._work is not None
        self.state = "running"
        try:
            result = self._work(self._told)
        except BaseException as problem:  # noqa: BLE001 - whoever asks after the job is told
            if not isinstance(problem, GuideError):
                _log.exception("a job failed")
            # The job is remembered, but not what its problem came from, which holds the document that it was about.
            problem.__traceback__ = problem.__cause__ = problem.__context__ = None
            self.state = self.stage = "failed"
            self.finished.set_exception(problem)
        else:
            self.state = self.stage = "done"
            self.progress = 1.0
            self.finished.set_result(result)
        self._work = None  # and lets go of what it worked on

    def _told(self, stage: str, progress: float) -> None:
        self.stage, self.progress = stage, progress


class JobQueue(Generic[T]):
    """Jobs in order, done by one thread; the latest, as many as are `remembered`, can still be asked after."""

    def __init__(self, name: str, most_waiting: int, remembered: int = REMEMBERED) -> None:
        self._name, self._most_waiting, self._remembered = name, most_waiting, remembered
        self._jobs: OrderedDict[str, Job[T]] = OrderedDict()
        self._waiting: deque[Job[T]] = deque()
        self._running: Job[T] | None = None
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def __len__(self) -> int:
        """How many jobs wait or are being done."""
        with self._news:
            return len(self._waiting) + (self._running is not None)

    def submit(self, name: str, work: Callable[[Tell], T]) -> Job[T]:
        """Puts work at the end of the queue.

        Raises:
            BusyError: too many jobs are waiting, or the queue is closing.
        """
        job = Job(name, work)
        with self._news:
            if self._closed:
                raise BusyError(f"The server is shutting down: {name} is not taken any more. Send it again later.")
            if len(self._waiting) >= self._most_waiting:
                raise BusyError(f"{len(self._waiting)} jobs are waiting already. Send {name} again in a few seconds.")
            self._waiting.append(job)
            self._jobs[job.id] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work_off, name=self._name, daemon=True)
                self._thread.start()
            self._news.notify()
        return job

    def job(self, job_id: str) -> Job[T]:
        """Raises NotFoundError if there was no such job, or too long ago."""
        with self._news:
            if job_id not in self._jobs:
                raise NotFoundError(f"There is no job {job_id!r} here: it never was, or is among the forgotten ones.")
            return self._jobs[job_id]

    def ahead(self, job: Job[Any]) -> int:
        """How many jobs come before a waiting one."""
        with self._news:
            before = self._waiting.index(job) if job in self._waiting else 0
            return before + (self._running is not None and self._running is not job)

    @property
    def closing(self) -> bool:
        """Whether the queue only finishes what it has; long work may look, and give up."""
        return self._closed

    def close(self) -> None:
        """Takes nothing more, and waits for all that was taken."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join()

    def _work_off(self) -> None:
        while True:
            with self._news:
                self._running = None
                self._news.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                self._running = job = self._waiting.popleft()
            job.run()
            with self._news:
                self._forget()

    def _forget(self) -> None:
        over = len(self._jobs) - self._remembered
        for job in [job for job in self._jobs.values() if job.finished.done()][: max(over, 0)]:
            del self._jobs[job.id]
