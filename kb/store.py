"""The knowledge base on disk: documents and their passages with vectors, in Chroma.

Every version of a document is a *generation*. Its passages are written first, under ids of their own; then one upsert
writes the document's row, which names the generation, together with the store's new version: that is the commit.
Readers take only passages of generations that a document's row names, so they see the old version or the new one,
whole. What a change leaves behind is noted beside the store before it begins, and swept by its writer or, if that
died, by the next one.

Chroma keeps vectors in the memory of each process and doesn't notice other writers, so a store that sees a version it
did not write opens Chroma anew before it reads or writes.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from kb.errors import NotFoundError, StoreError
from kb.records import Document, Passage
from kb.settings import Settings
from kb.store_chroma import Chroma
from kb.store_rows import DocumentInfo, info_row
from kb.store_view import Handle, View, look
from kb.store_writer import Unfinished, Writer

__all__ = ["Change", "DocumentInfo", "Store"]

T = TypeVar("T")
Vectors = NDArray[np.float32]
ATTEMPTS = 10


@dataclass(frozen=True)
class Change:
    """A document to store with its n passages and their vectors [n, d]; `pipeline` is the version of what made them.

    `instead_of` is the id of another document that goes when this one comes: it was renamed.
    """

    document: Document
    passages: Sequence[Passage]
    vectors: Vectors
    pipeline: str
    instead_of: str | None = None

    def check(self) -> None:
        """Raises StoreError if there is not one vector of numbers for each passage."""
        shape = self.vectors.shape
        if len(shape) != 2 or shape[0] != len(self.passages) or not np.isfinite(self.vectors).all():
            raise StoreError(f"{self.document.name}: vectors {shape} don't fit {len(self.passages)} passages.")

    def row(self, generation: str) -> dict[str, Any]:
        return info_row(self.document, len(self.passages), self.pipeline, generation)


class Store:
    """Documents, passages and vectors in the folder `home`; for several threads and several processes."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "chroma"
        self._writer = Writer(home)
        self._guard = threading.Lock()
        self._own_versions: set[str] = set()
        with self._writer.writing():  # two that make the collections at once would trip over each other
            self._view = look(Handle(Chroma(self._folder)))
            self._sweep(self._view)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The store of these settings; made when there is none.

        Raises:
            StoreError: the folder can't be made or read, or holds something else.
        """
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
            return cls(settings.home)
        except OSError as problem:
            raise StoreError(
                f"{settings.home}: the knowledge base can't be kept there ({problem.strerror}). Set GUIDE_HOME."
            ) from problem

    def close(self) -> None:
        """Lets go of the files; the store can't be used afterwards."""
        with self._guard:
            self._view.handle.outdated = True
            self._view.handle.close_if_idle()

    def version(self) -> str:
        """Changes with every committed change, also by other processes; empty when nothing was ever stored."""
        with self._viewing() as view:
            return str(view.state.get("version", ""))

    @property
    def embedding(self) -> str | None:
        """The fingerprint of the embedding model that the vectors are from; None when there are none."""
        with self._viewing() as view:
            return view.state.get("embedding")

    def require_embedding(self, fingerprint: str) -> None:
        """Makes sure that vectors of the model with this fingerprint can be searched for.

        Raises:
            StoreError: those in the store are from another model.
        """
        known = self.embedding
        if known not in {None, fingerprint}:
            raise _another_embedding(str(known), fingerprint)

    def documents(self) -> list[DocumentInfo]:
        """All documents, by name."""
        with self._viewing() as view:
            return sorted(view.live.values(), key=lambda info: info.name)

    def document(self, name_or_id: str) -> Document:
        """One document with its restored text.

        Raises:
            NotFoundError: there is none with this name or id.
        """
        document, names = self._reading(lambda view: (view.document(name_or_id), view.names()))
        if document is None:
            raise NotFoundError(f"There is no document {name_or_id!r}. Documents: {names}.")
        return document

    def passages(self) -> list[Passage]:
        """All passages, by document and place; where one stands inside another, the outer comes first."""
        found = self._reading(lambda view: view.passages())
        return sorted(found, key=lambda passage: (passage.source, passage.start, -passage.end))

    def nearest(self, vector: Vectors, k: int) -> list[tuple[Passage, float]]:
        """The `k` passages whose vectors are nearest to `vector` [d], with their cosine similarity, best first."""
        return self._reading(lambda view: view.nearest(vector, k)) if k > 0 else []

    def replace(
        self, document: Document, passages: Sequence[Passage], vectors: Vectors, pipeline: str, embedding: str
    ) -> None:
        """Puts a document in place of the one with its id, if any; as `replace_all` does."""
        self.replace_all([Change(document, passages, vectors, pipeline)], embedding)

    def replace_all(self, changes: Sequence[Change], embedding: str) -> None:
        """Puts documents in place of those with their ids, if any: all wholly or, after a failure, none at all.

        `embedding` is the fingerprint of the model that the vectors are from. Several documents in one change cost
        hardly more than one.

        Raises:
            StoreError: vectors don't fit, or the store can't be written.
            BusyError: another process has been writing for too long.
        """
        for change in changes:
            change.check()
        added = {uuid.uuid4().hex: change for change in changes}
        with self._writing() as view:
            if view.state.get("embedding") not in {None, embedding}:
                raise _another_embedding(view.state["embedding"], embedding)
            collection = view.collection or _new_collection()
            gone = {change.instead_of for change in changes if change.instead_of}
            outdated = view.generations({*gone, *(change.document.id for change in changes)})
            with self._change(view, Unfinished([*added, *outdated], [collection], [*gone])):
                view.chroma.put_passages(
                    collection, {key: (each.passages, each.vectors) for key, each in added.items()}
                )
                view.chroma.put_contents({key: each.document for key, each in added.items()})
                rows = {identity: {"generation": ""} for identity in gone}
                rows |= {each.document.id: each.row(generation) for generation, each in added.items()}
                self._commit(view, rows, embedding, collection)

    def delete(self, document_id: str) -> None:
        """Removes a document and its passages.

        Raises:
            NotFoundError: there is none with this id.
        """
        with self._writing() as view:
            generations = view.generations({document_id})
            if not generations or view.collection is None:
                raise NotFoundError(f"There is no document with the id {document_id!r}.")
            with self._change(view, Unfinished(generations, documents=[document_id])):
                gone = {document_id: {"generation": ""}}
                self._commit(view, gone, view.state["embedding"], view.collection)

    def reindex(self, embed: Callable[[Sequence[str]], Vectors], embedding: str) -> None:
        """Gives every passage a vector of another model, and only then searches with that one.

        `embed` turns n texts into vectors [n, d]; `embedding` is its fingerprint.
        """
        with self._writing() as view:
            if view.collection is None:
                return
            collection = _new_collection()
            with self._change(view, Unfinished((), [view.collection, collection])):
                for generation in view.live:
                    passages = view.chroma.passages(view.collection, generation)
                    vectors = embed([passage.indexed for _, passage in passages])
                    view.chroma.put_passages(collection, {generation: ([passage for _, passage in passages], vectors)})
                self._commit(view, {}, embedding, collection)

    def _reading(self, read: Callable[[View], T]) -> T:
        """What `read` finds in the store, at one version: what a change under way removes is read again."""
        for _ in range(ATTEMPTS):
            with self._viewing() as view:
                found = read(view)
                if view.chroma.state().get("version") == view.state.get("version"):
                    break
        return found

    @contextmanager
    def _viewing(self) -> Iterator[View]:
        """The store as it is now, kept open as long as it is used."""
        with self._guard:
            self._refresh()
            view = self._view
            view.handle.users += 1
        try:
            yield view
        finally:
            with self._guard:
                view.handle.users -= 1
                view.handle.close_if_idle()

    def _refresh(self) -> None:
        """Follows the store to its newest version; opens Chroma anew if another process wrote that."""
        version = self._view.chroma.state().get("version")
        if version == self._view.state.get("version"):
            return
        handle = self._view.handle
        if version not in self._own_versions:
            handle.outdated = True
            handle.close_if_idle()
            handle = Handle(Chroma(self._folder))
        self._view = look(handle)

    @contextmanager
    def _writing(self) -> Iterator[View]:
        """The store as it is now, with all other writers kept out and what a dead one left swept."""
        with self._writer.writing(), self._viewing() as view:
            self._sweep(view)
            yield view

    @contextmanager
    def _change(self, view: View, unfinished: Unfinished) -> Iterator[None]:
        self._writer.note(unfinished)
        try:
            yield
        finally:
            self._sweep(view)

    def _commit(self, view: View, rows: Mapping[str, Mapping[str, Any]], embedding: str, collection: str) -> None:
        version = uuid.uuid4().hex
        self._own_versions.add(version)
        view.chroma.commit(rows, {"version": version, "embedding": embedding, "collection": collection})

    def _sweep(self, view: View) -> None:
        """Removes what the noted change left behind: all that the store, as it is now, doesn't refer to."""
        unfinished = self._writer.noted()
        if unfinished is None:
            return
        now = look(view.handle)
        for collection in unfinished.collections:
            if collection != now.collection:
                view.chroma.drop(collection)
        obsolete = [generation for generation in unfinished.generations if generation not in now.live]
        view.chroma.forget(obsolete, now.collection)
        there = {info.id for info in now.live.values()}
        view.chroma.forget_documents([identity for identity in unfinished.documents if identity not in there])
        self._writer.clear()


def _new_collection() -> str:
    return f"passages-{uuid.uuid4().hex}"


def _another_embedding(known: str, given: str) -> StoreError:
    return StoreError(
        f"The knowledge base was indexed with another embedding model ({known}) than the one set ({given}). "
        "Run `guide ingest` to index it anew, or set GUIDE_EMBEDDING_MODEL back."
    )
