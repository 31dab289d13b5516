"""Many files restored on all cores. What comes out does not depend on how many processes share the work."""

import signal
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from ingest.files import Found
from ingest.mojibake import Restored, restore
from ingest.process import WorkerProcess, ready
from ingest.read import Decoded, decode, read_file
from kb.errors import InputError, WorkerError
from kb.records import RawDocument
from kb.settings import Settings

__all__ = ["RestoredFile", "restore_document", "restore_files"]

# A process takes about 0.7 s to start and to load the language model; damaged text of that many bytes takes longer.
WORTH_A_PROCESS = 500_000


@dataclass(frozen=True)
class RestoredFile:
    """A file's text as its bytes say it, and as it was before it was damaged."""

    decoded: Decoded
    restored: Restored


def restore_document(raw: RawDocument) -> RestoredFile:
    """Raises InputError if the bytes are no text."""
    decoded = decode(raw)
    return RestoredFile(decoded, restore(decoded.text))


def restore_files(
    found: Sequence[Found], settings: Settings, jobs: int
) -> Generator[tuple[int, RestoredFile | InputError], None, None]:
    """Each file as soon as it is done, by its place in `found`: restored, or what is wrong with it.

    Up to `jobs` processes share the files, the largest first; work that isn't worth a second process stays in this one.
    It must run in the main thread, and be closed (`contextlib.closing`) where it may be left before its end: the
    processes end then.

    Raises:
        WorkerError: one of the processes was killed.
    """
    sizes = [_size(item) for item in found]
    beside_the_largest = sum(sizes) - max(sizes, default=0)
    processes = min(jobs, len(found), 1 + beside_the_largest // WORTH_A_PROCESS)
    if processes < 2:
        yield from ((place, _restored(item, settings)) for place, item in enumerate(found))
        return
    largest_first = sorted(range(len(found)), key=lambda place: -sizes[place])
    left = len(found)
    try:
        with closing(_shared(largest_first, found, settings, processes)) as outcomes:
            for outcome in outcomes:
                left -= 1
                yield outcome
    except WorkerError as problem:
        raise WorkerError(
            f"A process was killed, perhaps for want of memory: {left} of {len(found)} documents are not "
            "restored. Run it again with a smaller --jobs."
        ) from problem


def _shared(
    places: Iterable[int], found: Sequence[Found], settings: Settings, processes: int
) -> Generator[tuple[int, RestoredFile | InputError], None, None]:
    """The files at these places, in this order each to the next process that has nothing to do."""
    places = iter(places)
    busy: dict[WorkerProcess[Found, RestoredFile | InputError], int] = {}
    with ExitStack() as started:
        with _interrupts_ignored():  # by those that have hardly started, too
            for place in islice(places, processes):
                worker = WorkerProcess(partial(_restored, settings=settings))
                started.callback(worker.close)
                worker.send(found[place])
                busy[worker] = place
        while busy:
            for worker in ready(busy):
                outcome = busy.pop(worker), worker.receive()
                for place in islice(places, 1):
                    worker.send(found[place])
                    busy[worker] = place
                yield outcome


def _restored(item: Found, settings: Settings) -> RestoredFile | InputError:
    if item.error is not None:
        return InputError(item.error)
    try:
        return restore_document(replace(read_file(item.path, settings), name=str(item.path)))
    except InputError as problem:
        return problem


def _size(item: Found) -> int:
    try:
        return item.path.stat().st_size
    except (OSError, ValueError):
        return 0


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; it is for the one that waits for the others."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
