"""A process with a pipe of its own: what it does comes back, and its end is noticed at any moment."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import active_children

import pytest

from ingest.process import WorkerProcess, ready
from kb.errors import WorkerError

MORE_THAN_A_PIPE_HOLDS = 1 << 24


def zeros(count: int) -> bytes:
    return bytes(count)


def process_id(_: None) -> int:
    return os.getpid()


@pytest.fixture
def worker() -> Iterator[WorkerProcess[int, bytes]]:
    with closing(WorkerProcess(zeros)) as worker:
        yield worker


def kill_all() -> None:
    for process in active_children():
        process.kill()


def test_one_thing_after_another(worker: WorkerProcess[int, bytes]) -> None:
    for count in (3, MORE_THAN_A_PIPE_HOLDS, 0):
        worker.send(count)
        assert worker.receive() == bytes(count)


def test_what_it_raises_is_raised_here_and_it_goes_on(worker: WorkerProcess[int, bytes]) -> None:
    worker.send(-1)
    with pytest.raises(ValueError, match="negative count"):
        worker.receive()
    worker.send(2)
    assert worker.receive() == b"\0\0"


def test_what_needs_more_memory_than_it_may_take_fails_and_it_goes_on() -> None:
    with closing(WorkerProcess(zeros, memory=1 << 29)) as worker:
        worker.send(1 << 30)
        with pytest.raises(MemoryError):
            worker.receive()
        worker.send(1)
        assert worker.receive() == b"\0"


def test_killed_while_it_sends(worker: WorkerProcess[int, bytes]) -> None:
    worker.send(MORE_THAN_A_PIPE_HOLDS)
    assert ready([worker]) == [worker]  # the beginning is there, and nobody takes it
    kill_all()
    with pytest.raises(WorkerError):
        worker.receive()


def test_killed_while_it_waits(worker: WorkerProcess[int, bytes]) -> None:
    assert not worker.pipe.poll()
    kill_all()
    assert ready([worker]) == [worker]
    with pytest.raises(WorkerError):
        worker.receive()
    with pytest.raises(WorkerError):
        worker.send(1)


def test_those_that_are_done_are_told_from_those_that_are_not(worker: WorkerProcess[int, bytes]) -> None:
    with closing(WorkerProcess(zeros)) as other:
        other.send(1)
        assert ready([worker, other]) == [other]


def test_closing_ends_a_process_that_sends(worker: WorkerProcess[int, bytes]) -> None:
    worker.send(MORE_THAN_A_PIPE_HOLDS)
    ready([worker])
    worker.close()
    assert active_children() == []


def test_it_ends_with_the_process_that_started_it() -> None:
    program = (
        "from ingest.process import WorkerProcess\n"
        "from tests.test_process import process_id\n"
        "worker = WorkerProcess(process_id)\n"
        "worker.send(None)\n"
        "print(worker.receive(), flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        started = int(parent.stdout.readline())
        os.kill(started, 0)
        parent.send_signal(signal.SIGKILL)
        assert parent.stdout.read() == b""  # which the process holds open as long as it lives
