"""The one owner of a loaded chat model: a thread through which every forward pass goes, one batch at a time.

Requests are answered in one left-padded batch, each with its own adapter, rule and seed; what one of them does can't
change what another gets. A batch begins at once. Those who come while it runs join it: it stops after a step and begins
again with them, every answer going on from its prompt and its tokens so far. (vLLM's scheduler makes room so, by
"recomputation": Kwon et al. 2023, arXiv:2309.06180, section 4.5; Orca schedules by the step: Yu et al. 2022.)
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kb.errors import BusyError, ModelError
from models.passes import Passes
from models.stream import Request

MOST_WAITING = 128
MOST_ROWS = 32
MOST_TOKENS = 32_768  # of a batch, with the padding and what is still to be written


@dataclass(frozen=True)
class Job:
    """Work for the worker whose result, or error, goes to a future."""

    work: Callable[[], Any]
    done: "Future[Any]" = field(default_factory=Future)

    def run(self) -> None:
        try:
            self.done.set_result(self.work())
        except Exception as problem:  # noqa: BLE001 - the caller gets it
            self.done.set_exception(problem)


class Worker:
    """Takes what is to be computed from a queue of its own; `name` is the model's, for messages."""

    def __init__(self, name: str, passes: Passes) -> None:
        self._name, self._passes = name, passes
        self._waiting: deque[Request | Job] = deque()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def enqueue(self, jobs: Sequence[Request | Job]) -> None:
        """Has requests answered, or jobs done, in the order in which they come.

        Raises:
            BusyError: too many are waiting.
            ModelError: the worker was closed.
        """
        with self._news:
            if self._closed:
                raise ModelError(f"The model {self._name} was closed. Load it again.")
            if len(self._waiting) + len(jobs) > MOST_WAITING:
                raise BusyError(f"{len(self._waiting)} requests are waiting for the model. Try again in a few seconds.")
            self._waiting.extend(jobs)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="chat-model", daemon=True)
                self._thread.start()
                atexit.register(self.close)  # a thread that the interpreter ends inside torch would abort the process
            self._news.notify()

    def close(self) -> None:
        """Finishes what was asked for and ends the worker; nothing can be asked afterwards."""
        with self._news:
            self._closed = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join()
            atexit.unregister(self.close)

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                job = self._waiting[0]
                if isinstance(job, Job):
                    self._waiting.popleft()
            if isinstance(job, Job):
                job.run()
            else:
                self._answer()

    def _answer(self) -> None:
        """Answers the requests at the head of the queue in one batch, and those that join it while it runs."""
        batch = self._taken([])
        while batch:
            self._passes.write(batch, Interruption(batch, partial(self._joining, batch)))
            batch = self._taken([request for request in batch if not request.done])

    def _taken(self, batch: Sequence[Request]) -> list[Request]:
        """A batch with those that join it, taken from the queue."""
        with self._news:
            joining = self._joining(batch)
            for _ in joining:
                self._waiting.popleft()
        for request in joining:
            if request.stream.cancelled:
                request.finish("cancelled")
        return [request for request in (*batch, *joining) if not request.done]

    def _joining(self, batch: Sequence[Request]) -> list[Request]:
        """The requests at the head of the queue that can be written together with a batch."""
        joining: list[Request] = []
        with self._news:
            for job in self._waiting:
                if not isinstance(job, Request) or not self._fit([*batch, *joining, job], begun=bool(batch)):
                    break
                joining.append(job)
        return joining

    def _fit(self, batch: Sequence[Request], *, begun: bool) -> bool:
        """Whether requests make a batch that is not too large, and that can begin again if it was `begun`."""
        width = max(len(request.prompt) + request.max_new_tokens for request in batch)
        small = len(batch) == 1 or (len(batch) <= MOST_ROWS and len(batch) * width <= MOST_TOKENS)
        return small and (not begun or self._passes.one_group(batch))


class Interruption:
    """Says, after each step of a batch, whether it should begin again with the others that came, if any did.

    It should when they bring as much to read as would be read again, or once it has written for as long as it read when
    it began. So reading again takes no more than about half of the time, however many come, and who comes waits hardly
    longer than it takes to read.
    """

    def __init__(
        self,
        batch: Sequence[Request],
        others: Callable[[], Sequence[Request]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._batch, self._others, self._clock = batch, others, clock
        self._began, self._read = clock(), 0.0

    def __call__(self) -> bool:
        now = self._clock()
        self._read = self._read or now
        others = self._others()
        if not others:
            return False
        again = sum(len(request.prompt) + len(request.written) for request in self._batch if not request.done)
        more = sum(len(request.prompt) for request in others)
        return more >= again or now - self._read >= self._read - self._began
