"""One writer at a time, among threads and processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kb.errors import BusyError, StoreError

PATIENCE_SECONDS = 120


@contextmanager
def only_writer(home: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Waits for whoever writes to the knowledge base in `home`, then keeps other writers out.

    Raises:
        BusyError: another one has been writing for `patience` seconds.
        StoreError: nobody can write there.
    """
    try:
        held = FileLock(home / "writer.lock").acquire(timeout=patience)
    except Timeout as problem:
        raise BusyError(
            f"{home}: another process is writing to the knowledge base. Try again when it is done."
        ) from problem
    except OSError as problem:
        raise StoreError(
            f"{home}: the knowledge base can't be written there ({problem.strerror}), only searched. "
            "See to its folder, or set GUIDE_HOME to another one."
        ) from problem
    with held:
        yield  # whose own failures are not the lock's
