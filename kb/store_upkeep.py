"""What keeps the vector index and the database together: changes in two steps, sweeping, and making the index anew."""

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from kb import store_tables as tables
from kb.errors import UnreachableError
from kb.records import Passage
from kb.store_database import Database
from kb.store_index import SharedIndex
from kb.store_values import Change, State, Vectors
from kb.store_vectors import VectorIndex, VectorsError

# Vectors that were forgotten stay in Chroma's graph and get in the way: it is made anew when so many were put into it.
WEAR, SPARE = 3, 5000
TOGETHER = 2000  # passages that go to Chroma at once when it is made anew


class Upkeep:
    """Changes of a database and its vector index; for one writer, who keeps all others out."""

    def __init__(self, database: Database, index: SharedIndex) -> None:
        self._database, self._index = database, index

    def is_unswept(self) -> bool:
        """Whether a change is under way, or its writer has died."""
        with self._database.reading() as rows:
            return bool(tables.read_loose(rows))

    @contextmanager
    def committing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that gives the store another version."""
        version = uuid.uuid4().hex
        self._index.will_write(version)
        with self._database.writing() as rows:
            yield rows
            tables.write_state(rows, version=version)

    @contextmanager
    def changing(self, generations: Sequence[str]) -> Iterator[None]:
        """Notes the generations that a change adds or makes obsolete, and removes those that are so after it."""
        with self._database.writing() as rows:
            tables.write_loose(rows, generations)
        try:
            yield
        finally:
            with suppress(UnreachableError):  # what is committed is; the next writer sweeps
                self.sweep()

    def sweep(self, *, verify: bool = False) -> None:
        """Removes the vectors that nothing refers to; with `verify`, those left must be what the database has."""
        with self._database.reading() as rows:
            state = tables.read_state(rows)
            worn = state.put > WEAR * tables.count_passages(rows) + SPARE
            live = set(tables.read_generations(rows).values())
            obsolete = [generation for generation in tables.read_loose(rows) if generation not in live]
        if state.index:
            try:
                with self._index.using(state) as index:
                    index.forget(obsolete)
                    whole = not verify or self._is_whole(index)
            except VectorsError:
                whole = False
            if worn or not whole:
                self.rebuild()
        with self._database.writing() as rows:
            tables.clear_loose(rows)
        self._index.remove_others(self._state().index)

    def _is_whole(self, index: VectorIndex) -> bool:
        with self._database.reading() as rows:
            generations = tables.read_generations(rows).values()
            return all(index.holds(generation, tables.read_vectors(rows, generation)[1]) for generation in generations)

    def put(self, state: State, added: Mapping[str, Change]) -> str:
        """Adds the vectors of generations; returns the name of the index that has them."""
        for mended in (False, True):
            name = state.index or uuid.uuid4().hex
            try:
                with self._index.using(replace(state, index=name)) as index:
                    index.put({generation: (each.passages, each.vectors) for generation, each in added.items()})
                break
            except VectorsError:
                if mended or state.index is None:
                    raise
                self.rebuild()
                state = self._state()
        return name

    def rebuild(
        self,
        embed: Callable[[Sequence[str]], Vectors] | None = None,
        embedding: str | None = None,
        read_lines: Callable[[Sequence[Passage]], Sequence[bytes]] | None = None,
    ) -> None:
        """Puts a new vector index in place of the one there is; `embed` gives its passages other vectors."""
        name = uuid.uuid4().hex
        put = 0
        with self._index.creating(name) as index, self.committing() as rows:
            waiting: dict[str, tuple[Sequence[Passage], Vectors]] = {}
            for generation in tables.read_generations(rows).values():
                passages, vectors = tables.read_vectors(rows, generation)
                if embed and passages:
                    vectors = embed([passage.indexed for passage in passages])
                    tables.write_vectors(rows, generation, vectors)
                    tables.write_lines(rows, generation, read_lines(passages) if read_lines else ())
                    tables.write_state(rows, dimension=vectors.shape[1])
                waiting[generation] = passages, vectors
                put += len(passages)
                if sum(len(some) for some, _ in waiting.values()) >= TOGETHER:
                    index.put(waiting)
                    waiting = {}
            index.put(waiting)
            tables.write_state(rows, index=name, put=put, **({"embedding": embedding} if embedding else {}))
        self._index.remove_others(name)

    def _state(self) -> State:
        with self._database.reading() as rows:
            return tables.read_state(rows)
