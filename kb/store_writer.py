"""One writer at a time, also among processes, and a note of what it would leave behind if it died."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kb.errors import BusyError

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Unfinished:
    """What a change adds or makes obsolete; whichever of it is not part of the store afterwards can go."""

    generations: Sequence[str] = ()
    collections: Sequence[str] = ()
    documents: Sequence[str] = ()


class Writer:
    """The right to write to the store in a folder, and the note there of the change that is under way."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._note = home / "unfinished.json"

    @contextmanager
    def writing(self, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
        """Waits for other writers, then keeps them out.

        Raises:
            BusyError: another one has been writing for `patience` seconds.
        """
        try:
            with FileLock(self._home / "writer.lock", timeout=patience):
                yield
        except Timeout as problem:
            raise BusyError(
                f"{self._home}: another process is writing to the knowledge base. Try again when it is done."
            ) from problem

    def note(self, unfinished: Unfinished) -> None:
        """Notes a change before it begins."""
        draft = self._note.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(unfinished), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._note)

    def noted(self) -> Unfinished | None:
        """The change that a writer began and did not finish, if the note is still there."""
        try:
            return Unfinished(**json.loads(self._note.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def clear(self) -> None:
        self._note.unlink(missing_ok=True)
