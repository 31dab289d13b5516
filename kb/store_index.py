"""The vector index that the threads of a process share: opened when it is needed, and anew when it is outdated."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from kb.store_chroma import Chroma
from kb.store_values import Place, State, Vectors
from kb.store_vectors import VectorIndex, VectorsError

REMEMBERED = 1000  # versions; a reader that is further behind opens the index anew


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
    """The index that the store's state names, kept by `chroma`; `stored` counts the passages of the store."""

    def __init__(self, chroma: Chroma, stored: Callable[[], int]) -> None:
        self._chroma = chroma
        self._stored = stored
        self._guard = threading.Lock()
        self._opened: _Opened | None = None
        self._own_versions: dict[str, None] = {}  # the latest, oldest first

    def will_write(self, version: str) -> None:
        """Tells the version that this process is about to commit: its own changes are no reason to open anew."""
        self._own_versions[version] = None
        while len(self._own_versions) > REMEMBERED:
            del self._own_versions[next(iter(self._own_versions))]

    @contextmanager
    def using(self, state: State) -> Iterator[VectorIndex]:
        """The index as it is in this state of the store, kept open as long as it is used.

        Raises:
            VectorsError: it can't be opened, or vectors are missing.
            UnreachableError: there is no server.
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
        """Lets go of an index that doesn't show this state, before this process gives the state another version."""
        with self._guard:
            if self._opened and not self._shows(self._opened, str(state.index), state.version):
                self._outdate()

    @contextmanager
    def creating(self, name: str) -> Iterator[VectorIndex]:
        """A new, empty index that nobody uses yet."""
        index = self._chroma.open(name)
        try:
            yield index
        finally:
            index.close()

    def remove_others(self, name: str | None) -> None:
        """Removes all indexes but the one with this name."""
        self._chroma.remove_others(name)

    def close(self) -> None:
        with self._guard:
            self._outdate()
        self._chroma.close()

    def _follow(self, name: str, version: str) -> _Opened:
        opened = self._opened
        if opened is None or not self._shows(opened, name, version):
            self._outdate()
            opened = self._opened = _Opened(self._open_whole(name), name, version)
        return opened

    def _open_whole(self, name: str) -> VectorIndex:
        """The index, if no vector of what is stored is missing: a server may have been emptied or set back."""
        stored = self._stored()
        with ExitStack() as failed:
            index = self._chroma.open(name)
            failed.callback(index.close)
            there = index.count()
            if there < stored:
                raise VectorsError(f"Chroma has {there} vectors of {stored} that it was given.")
            failed.pop_all()
        return index

    def _shows(self, opened: _Opened, name: str, version: str) -> bool:
        return opened.name == name and (version == opened.version or version in self._own_versions)

    def _outdate(self) -> None:
        if self._opened:
            self._opened.outdated = True
            self._opened.close_if_idle()
            self._opened = None


def nearest_known(
    index: VectorIndex, vector: Vectors, k: int, generations: Collection[str]
) -> list[tuple[Place, float]]:
    """The `k` nearest of the passages of these generations; others are there while a change is under way."""
    wanted = k
    while True:
        scored = index.nearest(vector, wanted)
        found = [(place, score) for place, score in scored if place[0] in generations]
        if len(found) >= k or len(scored) < wanted:
            return found[:k]
        wanted = 4 * wanted + 100
