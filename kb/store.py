"""The knowledge base on disk: documents, their passages and vectors, for several threads and processes.

The truth is a SQLite file, changed in whole transactions. Chroma, in a folder beside it or on a server, searches the
vectors and is made anew from there when it is damaged, as a folder can be by the death of a process while it writes.
Every version of a document is a *generation*: its vectors go to Chroma first, under ids that nobody refers to yet; the
transaction that stores the document is the commit; then the vectors of the old generation go. Generations that may be
left over are noted before, so that the next writer can sweep after one that died.

Chroma in a folder doesn't notice what other processes write, so a store that sees a version it did not write opens
Chroma anew.

A folder that can't be written is searched all the same, as long as nobody else writes to it.
"""

import os
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Self

from kb import store_tables as tables
from kb.errors import BusyError, NotFoundError, StoreError, UnreachableError
from kb.records import Document, Passage, Table
from kb.settings import Settings
from kb.store_chroma import Chroma, ChromaFolder, ChromaServer
from kb.store_database import Database
from kb.store_index import SharedIndex
from kb.store_lock import PATIENCE_SECONDS, only_writer
from kb.store_search import Search
from kb.store_upkeep import Upkeep
from kb.store_values import Change, DocumentInfo, Place, State, Vectors

__all__ = ["Change", "DocumentInfo", "Store"]

NEAR = 0.5  # how alike a name must be to one that isn't there to be told of, from 0 to 1


class Store:
    """Documents, passages and vectors in the folder `home`, the vectors also on the Chroma server at `chroma_url`."""

    def __init__(self, home: Path, chroma_url: str | None = None) -> None:
        self._home = home
        file = home / "guide.sqlite3"
        self._read_only = file.exists() and not all(os.access(path, os.W_OK) for path in (home, file))
        self._database = Database(file, read_only=self._read_only)
        self._index = SharedIndex(self._chroma(chroma_url), lambda: self._database.read(tables.count_passages))
        self._upkeep = Upkeep(self._database, self._index)
        self._search = Search(self._database, self._index, self._mend)
        if self._upkeep.is_unswept() and not self._read_only:
            with suppress(BusyError, UnreachableError), self._writing(patience=0):
                pass  # a writer died, and is swept after; or it lives, and is left alone

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The store of these settings; made when there is none.

        Raises:
            StoreError: the folder can't be made or read, or holds something else.
        """
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
            return cls(settings.home, settings.chroma_url)
        except OSError as problem:
            raise StoreError(
                f"{settings.home}: the knowledge base can't be kept there ({problem.strerror}). Set GUIDE_HOME."
            ) from problem

    def close(self) -> None:
        """Lets go of the files; the store can't be used afterwards."""
        self._index.close()
        self._database.close()

    def version(self) -> str:
        """Changes with every committed change, also by other processes; empty when nothing was ever stored."""
        return self._state().version

    @property
    def embedding(self) -> str | None:
        """The fingerprint of the embedding model that the vectors are from; None when there are none."""
        return self._state().embedding

    def require_embedding(self, fingerprint: str) -> None:
        """Makes sure that vectors of the model with this fingerprint can be searched for.

        Raises:
            StoreError: those in the store are from another model.
        """
        self._state().check_embedding(fingerprint)

    def is_empty(self) -> bool:
        """Whether there is no document."""
        return not self._database.read(tables.has_documents)

    def documents(self) -> list[DocumentInfo]:
        """All documents, by name."""
        return self._database.read(tables.read_infos)

    def alike(self, name: str, sha256: str) -> list[DocumentInfo]:
        """The documents with this name or content, by name."""
        return self._database.read(lambda rows: tables.read_alike(rows, name, sha256))

    def document(self, name_or_id: str) -> Document:
        """One document with its restored text.

        Raises:
            NotFoundError: there is none with this name or id.
        """
        document = self._database.read(lambda rows: tables.read_document(rows, name_or_id))
        if document is None:
            raise self._missing(name_or_id)
        return document

    def require_documents(self, names_or_ids: Collection[str]) -> None:
        """Makes sure that there are documents with these names or ids.

        Raises:
            NotFoundError: there is one missing.
        """
        known = {key for info in self.documents() for key in (info.id, info.name)} if names_or_ids else set()
        for name in names_or_ids:
            if name not in known:
                raise self._missing(name)

    def passages(self) -> list[Passage]:
        """All passages, by document and place; where one stands inside another, the outer comes first."""
        return self._database.read(tables.read_passages)

    def tables(self, documents: Collection[str] | None = None) -> list[Table]:
        """All tables, or those of the documents with these ids, by document and place."""
        return self._database.read(lambda rows: tables.read_tables(rows, documents))

    def lines(self, places: Sequence[Place]) -> list[bytes | None]:
        """What was kept of the lines of the passages at these places; None where nothing was."""
        return self._database.read(lambda rows: tables.read_lines(rows, places))

    def records(self, known: Collection[str]) -> tuple[str, list[tuple[str, list[str] | None]]]:
        """The version, and each generation that it has, in the order of documents, with the records of its passages.

        Those of generations that are `known` are None.
        """
        with self._database.reading() as rows:
            found = [
                (name, None if name in known else tables.read_records(rows, name)) for name in tables.read_sizes(rows)
            ]
            return tables.read_state(rows).version, found

    def nearest(self, vector: Vectors, k: int) -> list[tuple[Passage, float]]:
        """The `k` passages whose vectors are nearest to `vector` [d], with their cosine similarity, best first.

        Raises as `nearest_places` does.
        """
        return self._search.nearest(vector, k)

    def nearest_places(
        self, vector: Vectors, k: int, among: Sequence[Place] | None = None
    ) -> list[tuple[Place, float]]:
        """The places of the `k` passages whose vectors are nearest to `vector` [d]; else as `nearest`.

        `among` are the only places to look at: for a thousand or so at most.

        Raises:
            StoreError: the vector has another length than those stored, or Chroma can't be mended.
            UnreachableError: the Chroma server doesn't answer.
        """
        return self._search.nearest_places(vector, k, among)

    def replace(
        self, document: Document, passages: Sequence[Passage], vectors: Vectors, pipeline: str, embedding: str
    ) -> None:
        """Puts a document in place of the one with its id, if any; as `replace_all` does."""
        self.replace_all([Change(document, passages, vectors, pipeline)], embedding)

    def replace_all(self, changes: Sequence[Change], embedding: str) -> dict[str, str]:
        """Puts documents in place of those with their ids, if any: all wholly or, after a failure, none at all.

        `embedding` is the fingerprint of the model that the vectors are from. Several documents in one change cost
        hardly more than one. A new document whose content came in meanwhile, by another process, is not stored: given
        back are the ids of such documents, each with the id of the one that holds its content.

        Raises:
            StoreError: vectors don't fit, or the store can't be written.
            BusyError: another process has been writing for too long.
        """
        gone = {each.instead_of for each in changes if each.instead_of} | {each.document.id for each in changes}
        with self._writing() as state:
            state.check_embedding(embedding)
            for change in changes:
                change.check(state)
            twins = self._database.read(
                lambda rows: tables.read_twins(rows, [change.document for change in changes], gone)
            )
            added = {uuid.uuid4().hex: change for change in changes if change.document.id not in twins}
            if not added:
                return twins
            with self._upkeep.changing([*added, *self._generations(gone)]):
                index = self._upkeep.put(state, added)
                with self._upkeep.committing() as rows:
                    tables.remove_documents(rows, gone)
                    for generation, change in added.items():
                        tables.write_document(rows, generation, change)
                        tables.write_state(rows, dimension=change.vectors.shape[1])
                    put = tables.read_state(rows).put + sum(len(change.passages) for change in added.values())
                    tables.write_state(rows, embedding=embedding, index=index, put=put)
        return twins

    def delete(self, document_id: str) -> None:
        """Removes a document and its passages.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._writing():
            generations = self._generations({document_id})
            if not generations:
                raise NotFoundError(
                    f"There is no document with the id {document_id!r}. `guide documents --json` and "
                    "GET /v1/documents have the ids."
                )
            with self._upkeep.changing(generations), self._upkeep.committing() as rows:
                tables.remove_documents(rows, [document_id])

    def reindex(
        self,
        embed: Callable[[Sequence[str]], Vectors],
        embedding: str,
        read_lines: Callable[[Sequence[Passage]], Sequence[bytes]] | None = None,
    ) -> None:
        """Gives every passage a vector of another model, and only then searches with that one.

        `embed` turns n texts into vectors [n, d]; `embedding` is its fingerprint. `read_lines` gives what is kept of
        the lines of passages.
        """
        with self._writing() as state:
            if state.index:
                self._upkeep.rebuild(embed, embedding, read_lines)

    def _chroma(self, url: str | None) -> Chroma:
        if url is None:
            return ChromaFolder(self._home / "chroma", read_only=self._read_only)
        file = (self._home / "guide.sqlite3").stat().st_ino  # a copy of the file is a knowledge base of its own
        return ChromaServer(url, f"guide-{self._state().base}-{file:x}-")

    def _missing(self, name_or_id: str) -> NotFoundError:
        names = [info.name for info in self.documents()]
        if not names:
            return NotFoundError(f"There is no document {name_or_id!r}, nor any other yet; run `guide ingest`.")
        spelt = {part.casefold(): name for name in names for part in (PurePosixPath(name).name, name)}
        near = dict.fromkeys(spelt[part] for part in get_close_matches(name_or_id.casefold(), spelt, cutoff=NEAR))
        meant = f" Near to that: {', '.join(near)}." if near else ""
        return NotFoundError(
            f"There is no document {name_or_id!r}.{meant} `guide documents` lists the {len(names)} there are."
        )

    def _state(self) -> State:
        return self._database.read(tables.read_state)

    def _generations(self, documents: Collection[str]) -> list[str]:
        known = self._database.read(tables.read_generations)
        return [generation for identity, generation in known.items() if identity in documents]

    @contextmanager
    def _writing(self, patience: float = PATIENCE_SECONDS) -> Iterator[State]:
        """The state, with all other writers kept out and what a dead one left swept."""
        with only_writer(self._home, patience):
            self._index.follow(self._state())
            if self._upkeep.is_unswept():
                self._upkeep.sweep(verify=True)
            yield self._state()

    def _mend(self, state: State) -> bool:
        """Makes the vector index anew, unless somebody has changed the store since `state`; whether it did."""
        if self._read_only:
            raise StoreError(
                f"{self._home}: the vector index is damaged, and can't be made anew where nothing can be written. "
                "Make the folder writable once, and search again."
            )
        with self._writing() as now:
            outdated = (now.index, now.version) != (state.index, state.version)
            if not outdated:
                self._upkeep.rebuild()
            return not outdated
