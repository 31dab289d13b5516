"""Passages near to a vector, though others change the store meanwhile and the vector index may be damaged."""

from collections.abc import Callable, Collection, Sequence

from kb import store_tables as tables
from kb.records import Passage
from kb.store_database import Database
from kb.store_index import SharedIndex, nearest_known
from kb.store_values import Place, State, Vectors
from kb.store_vectors import VectorsError

ATTEMPTS = 10


class Search:
    """Searches what the database holds with the vector index that its state names."""

    def __init__(self, database: Database, index: SharedIndex, mend: Callable[[State], bool]) -> None:
        """`mend` makes the index anew, unless somebody has changed the store since a state; and says whether it did."""
        self._database, self._index, self._mend = database, index, mend
        self._filled = False
        self._known: tuple[str | None, frozenset[str]] = None, frozenset()

    def nearest(self, vector: Vectors, k: int) -> list[tuple[Passage, float]]:
        """As `Store.nearest`."""
        found: list[tuple[Passage | None, float]] = []
        for _ in range(ATTEMPTS):
            places = self.nearest_places(vector, k)
            with self._database.reading() as rows:
                passages = tables.read_passages_at(rows, [place for place, _ in places])
            found = [(passage, score) for passage, (_, score) in zip(passages, places, strict=True)]
            if None not in passages:
                break  # else they were replaced just now
        return [(passage, score) for passage, score in found if passage]

    def nearest_places(
        self, vector: Vectors, k: int, among: Sequence[Place] | None = None
    ) -> list[tuple[Place, float]]:
        """As `Store.nearest_places`."""
        found: list[tuple[Place, float]] = []
        failure: VectorsError | None = None
        mended = False
        for _ in range(ATTEMPTS):
            state = self._database.read(tables.read_state)
            if state.index is None or k < 1:
                return []
            state.check_dimension(len(vector))
            try:
                live = self._live(state)
                there = None if among is None else [place for place in among if place[0] in live]
                found, failure = self._nearest(state, vector, k, there), None
                if self._database.read(tables.read_state).version != state.version:
                    continue
                if mended or self._filled or len(found) == k or len(found) >= self._most(there):
                    break
                self._filled = True  # an index made anew that gives too few all the same is taken as it is
            except VectorsError as problem:
                failure = problem
            if mended:
                break
            mended = self._mend(state)
        if failure:
            raise failure
        return found

    def _nearest(
        self, state: State, vector: Vectors, k: int, among: Sequence[Place] | None
    ) -> list[tuple[Place, float]]:
        with self._index.using(state) as index:
            if among is not None:
                return index.nearest(vector, k, among)
            return nearest_known(index, vector, k, self._live(state))

    def _most(self, among: Sequence[Place] | None) -> int:
        """How many passages a search can find."""
        return self._database.read(tables.count_passages) if among is None else len(among)

    def _live(self, state: State) -> Collection[str]:
        """The generations that are there in this state, or in a later one."""
        version, live = self._known
        if version != state.version:
            with self._database.reading() as rows:
                version, live = tables.read_state(rows).version, frozenset(tables.read_generations(rows).values())
            self._known = version, live
        return live
