"""The vector index that the threads of a process share: opened when it is needed, and anew when it is outdated."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kb.records import Passage
from kb.store_tables import State
from kb.store_vectors import VectorIndex


@dataclass
class _Opened:
    """An index, its name and the version of the store it was opened at; closed when nobody needs it any more."""

    index: VectorIndex
    name: str
    version: str
    users: int = 0
    outdated: bool = False

    def close_if_idle(self) -> None:
        if self.outdated and not self.users:
            self.index.close()


class SharedIndex:
    """The index that the store's state names, in a folder of that name below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._opened: _Opened | None = None
        self._own_versions: set[str] = set()

    def will_write(self, version: str) -> None:
        """Tells the version that this process is about to commit: its own changes are no reason to open anew."""
        self._own_versions.add(version)

    @contextmanager
    def using(self, state: State) -> Iterator[VectorIndex]:
        """The index as it is in this state of the store, kept open as long as it is used.

        Raises:
            VectorsError: it can't be opened.
        """
        with self._guard:
            opened = self._follow(str(state.index), state.version)
            opened.users += 1
        try:
            yield opened.index
        finally:
            with self._guard:
                opened.users -= 1
                opened.close_if_idle()

    def follow(self, state: State) -> None:
        """Makes sure that an index that is open shows this state, before this process changes it."""
        with self._guard:
            if self._opened and state.index and self._opened.version != state.version:
                self._follow(state.index, state.version)

    @contextmanager
    def creating(self, name: str) -> Iterator[VectorIndex]:
        """A new, empty index that nobody uses yet."""
        index = VectorIndex(self._folder / name)
        try:
            yield index
        finally:
            index.close()

    def remove_others(self, name: str | None) -> None:
        """Removes all indexes but the one with this name."""
        for other in self._folder.glob("*"):
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)

    def close(self) -> None:
        with self._guard:
            self._outdate()

    def _follow(self, name: str, version: str) -> _Opened:
        opened = self._opened
        if opened is None or opened.name != name or version not in {opened.version, *self._own_versions}:
            self._outdate()
            opened = self._opened = _Opened(VectorIndex(self._folder / name), name, version)
        return opened

    def _outdate(self) -> None:
        if self._opened:
            self._opened.outdated = True
            self._opened.close_if_idle()
            self._opened = None


def nearest_known(
    index: VectorIndex,
    vector: NDArray[np.float32],
    k: int,
    passages_at: Callable[[Sequence[tuple[str, int]]], list[Passage | None]],
) -> list[tuple[Passage, float]]:
    """The `k` nearest of the passages that `passages_at` still knows; others are there while a change is under way."""
    wanted = k
    while True:
        scored = index.nearest(vector, wanted)
        passages = passages_at([place for place, _ in scored])
        found = [(passage, score) for passage, (_, score) in zip(passages, scored, strict=True) if passage]
        if len(found) >= k or len(scored) < wanted:
            return found[:k]
        wanted = 4 * wanted + 100
