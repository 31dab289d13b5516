"""A process that does one kind of work, with a pipe of its own, so that its end is noticed whatever it was doing.

The processes of a `ProcessPoolExecutor` share one pipe for what they have done, and the pool holds both its ends: when
one of them is killed while it sends, the pool waits for the rest for ever.
"""

import os
import signal
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from kb.errors import WorkerError

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

__all__ = ["WorkerProcess", "ready"]

KILLED = "A process was killed."

Given = TypeVar("Given")
Done = TypeVar("Done")


class WorkerProcess(Generic[Given, Done]):
    """Does `work`, an importable function, for one thing after another; for one thread at a time.

    It leaves Ctrl-C to the process that started it, and ends when that one is gone.

    Attributes:
        pipe: readable once something is done, or the process has ended.
    """

    def __init__(self, work: Callable[[Given], Done], niceness: int = 0, memory: int | None = None) -> None:
        """Starts the process, which may take so many bytes of memory; if it needs more, `work` raises MemoryError."""
        context = get_context("spawn")
        self.pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, work, niceness, memory), daemon=True)
        self._process.start()
        there.close()

    @property
    def ended(self) -> bool:
        """Whether a process that has nothing to do was closed, or killed."""
        try:
            return self.pipe.closed or self.pipe.poll()
        except OSError:  # Windows says so of a pipe whose other end is gone
            return True

    def send(self, given: Given) -> None:
        """Gives it something to do; raises WorkerError if the process was killed."""
        try:
            self.pipe.send(given)
        except OSError as problem:
            raise WorkerError(KILLED) from problem

    def receive(self, seconds: float | None = None) -> Done:
        """What comes of the thing given first, when it is done; raises what `work` raised.

        Raises:
            TimeoutError: nothing has come of it in so many seconds; the process is still at it.
            WorkerError: the process was killed, perhaps while it sent.
        """
        done: Done
        try:
            there = self.pipe.poll(seconds)
            if there:
                done, problem = self.pipe.recv()
        except (EOFError, OSError) as ended:
            raise WorkerError(KILLED) from ended
        if not there:
            raise TimeoutError
        if problem is not None:
            raise problem
        return done

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def ready(workers: Collection[WorkerProcess[Given, Done]]) -> list[WorkerProcess[Given, Done]]:
    """Those from which something can be received, or that have ended; waits for the first."""
    readable = wait([worker.pipe for worker in workers])
    return [worker for worker in workers if worker.pipe in readable]


def _serve(pipe: Connection, work: Callable[[Given], Done], niceness: int, memory: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if niceness and hasattr(os, "nice"):
        os.nice(niceness)
    if memory and resource:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError):  # nobody is there any more
        while True:
            pipe.send(_outcome(work, pipe.recv()))


def _outcome(work: Callable[[Given], Done], given: Given) -> tuple[Done | None, Exception | None]:
    try:
        return work(given), None
    except Exception as problem:  # noqa: BLE001 - it is raised where the outcome is received
        return None, problem


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
