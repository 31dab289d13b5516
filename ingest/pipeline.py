"""Files into the knowledge base: read, decoded, restored, split into passages, embedded, stored.

Only what changed is done again. A document is known by its name: its path below the folder that was given, or its file
name. A file with the content of a document that is there already is not stored twice: if that document's own file is
gone, the file was renamed and so is the document; else it is passed over.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from ingest.documents import ReadDocument, document_id, pipeline_version, read_document
from ingest.files import Found, find_files, readable_name
from ingest.read import raw_document, read_file
from kb.errors import BusyError, GuideError, InputError, NotFoundError, TooLargeError, UnreachableError
from kb.records import RawDocument
from kb.settings import Settings
from kb.store import Change, DocumentInfo, Store
from models.embed import Embedder, fingerprint
from models.lines import line_vectors

__all__ = ["Ingested", "Pipeline", "check_sent"]

# Small documents are committed together: a commit takes longer than they do.
GROUP_DOCUMENTS = 64
GROUP_PASSAGES = 1000
LONGEST_NAME = 255
NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Ingested:
    """What became of one file. `document_id` is that of the document with its content; `failure` says why it failed."""

    name: str
    document_id: str
    status: Literal["added", "changed", "unchanged", "deleted", "failed"]
    passages: int = 0
    repairs: int = 0
    damage: tuple[str, ...] = ()
    failure: GuideError | None = None

    @property
    def error(self) -> str | None:
        return str(self.failure) if self.failure else None


@dataclass(frozen=True)
class _Prepared:
    """A document that is to be stored, and what will be said of it then."""

    read: ReadDocument
    outcome: Ingested
    instead_of: str | None


class Pipeline:
    """Takes files into a store; the embedding model is loaded only when there is something to embed.

    `read` is `read_document`, or what does the same elsewhere, in another process say.
    """

    def __init__(
        self,
        store: Store,
        embedder: Callable[[], Embedder],
        settings: Settings,
        read: "Callable[[RawDocument], ReadDocument] | None" = None,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._settings = settings
        self._read = read or read_document

    def ingest(
        self, paths: Sequence[Path], progress: Callable[[str, int, int], None] | None = None
    ) -> Iterator[Ingested]:
        """Takes in files and all documents below folders; yields what became of each, in order.

        `progress` is told a file's name, how many are done and how many there are. A file that can't be taken in is
        reported as failed and what the store had of it stays; the rest go on.

        Raises:
            ModelError: the embedding model can't be loaded.
            UnreachableError: the Chroma server doesn't answer.
            BusyError: another process has been writing for too long.
        """
        yield from self.ingest_files(find_files(paths), progress)

    def ingest_files(
        self, found: Sequence[Found], progress: Callable[[str, int, int], None] | None = None
    ) -> Iterator[Ingested]:
        """Takes in files that were found already; yields one outcome for each, as `ingest` does."""
        self._follow_embedding()
        known = _Known(self._store.documents())
        group: list[Ingested | _Prepared] = []
        for done, item in enumerate(found):
            if progress:
                progress(item.name, done, len(found))
            group.append(self._prepare_file(item, known))
            if _is_full(group):
                yield from self._store_group(group)
                group = []
        yield from self._store_group(group)
        if progress and found:
            progress(found[-1].name, len(found), len(found))

    def ingest_bytes(self, name: str, data: bytes) -> Ingested:
        """Takes in one document that was sent; failures are reported as `ingest` does."""
        name = readable_name(name)
        try:
            check_sent(name, len(data), self._settings)
        except InputError as problem:
            return Ingested(name, document_id(name), "failed", failure=problem)
        self._follow_embedding()
        raw = raw_document(name, data)
        known = _Known(self._store.alike(name, raw.sha256))
        return next(self._store_group([self._prepare(raw, known, lambda _: True)]))

    def remove(self, name: str) -> Ingested | None:
        """Removes the document of this name, whose file is gone; None if there is none."""
        try:
            self._store.delete(document_id(name))
        except NotFoundError:
            return None
        return Ingested(name, document_id(name), "deleted")

    def _follow_embedding(self) -> None:
        """Indexes the whole store anew if another embedding model was set since."""
        known = self._store.embedding
        if known is not None and known != self._fingerprint():
            embedder = self._embedder()
            lines = partial(line_vectors, embedder=embedder) if embedder.quick else None
            self._store.reindex(embedder.embed_passages, embedder.fingerprint, lines)

    def _fingerprint(self) -> str:
        """The embedding model's fingerprint, without loading the model if it lies in a folder."""
        folder = Path(self._settings.embedding_model).expanduser()
        return fingerprint(folder) if folder.is_dir() else self._embedder().fingerprint

    def _prepare_file(self, item: Found, known: "_Known") -> Ingested | _Prepared:
        try:
            if item.error is not None:
                raise InputError(item.error)
            raw = read_file(item.path, self._settings)
            raw = RawDocument(item.name, raw.data, raw.sha256)
            return self._prepare(raw, known, lambda name: (item.root / name).exists())
        except GuideError as problem:
            return Ingested(item.name, document_id(item.name), "failed", failure=problem)

    def _prepare(self, raw: RawDocument, known: "_Known", there: Callable[[str], bool]) -> Ingested | _Prepared:
        """What is to be stored, or why nothing is; `there` tells whether the file of a document still exists."""
        before = known.named(raw.name)
        twin = before or known.with_content(raw.sha256)
        same = twin is not None and twin.sha256 == raw.sha256
        renamed = twin if twin and same and twin is not before and not there(twin.name) else None
        if twin and same and not renamed and twin.pipeline == pipeline_version():
            return Ingested(raw.name, twin.id, "unchanged", twin.passages, twin.repairs, twin.damage)
        try:
            read = self._read(raw)
        except GuideError as problem:
            return Ingested(raw.name, document_id(raw.name), "failed", failure=problem)
        status: Literal["added", "changed"] = "changed" if before or renamed else "added"
        document = read.document
        outcome = Ingested(raw.name, document.id, status, len(read.passages), len(document.repairs), document.damage)
        prepared = _Prepared(read, outcome, renamed.id if renamed else None)
        known.add(prepared)
        return prepared

    def _store_group(self, group: Sequence[Ingested | _Prepared]) -> Iterator[Ingested]:
        """Stores what is prepared, together or, if that fails, one by one; yields all outcomes in order."""
        prepared = [item for item in group if isinstance(item, _Prepared)]
        failures: dict[str, GuideError] = {}
        twins: dict[str, str] = {}
        if prepared:
            embedder = self._embedder()
            changes = _changes(prepared, embedder)
            try:
                twins = self._store.replace_all(changes, embedder.fingerprint)
            except (BusyError, UnreachableError):  # no document is at fault
                raise
            except GuideError:
                for change in changes:
                    try:
                        twins |= self._store.replace_all([change], embedder.fingerprint)
                    except GuideError as problem:
                        failures[change.document.id] = type(problem)(f"{change.document.name}: {problem}")
        for item in group:
            outcome = item.outcome if isinstance(item, _Prepared) else item
            if failure := failures.get(outcome.document_id):
                yield replace(outcome, status="failed", failure=failure)
            elif twin := twins.get(outcome.document_id):
                yield replace(outcome, status="unchanged", document_id=twin)
            else:
                yield outcome


class _Known:
    """The documents that are there, or will be when what is prepared is stored, by name and by content."""

    def __init__(self, documents: Sequence[DocumentInfo]) -> None:
        self._by_id = {info.id: info for info in documents}
        self._by_name = {info.name: info for info in documents}
        self._by_content = {info.sha256: info for info in documents}

    def named(self, name: str) -> DocumentInfo | None:
        return self._by_name.get(name)

    def with_content(self, sha256: str) -> DocumentInfo | None:
        return self._by_content.get(sha256)

    def add(self, prepared: _Prepared) -> None:
        document, outcome = prepared.read.document, prepared.outcome
        info = DocumentInfo(
            id=document.id,
            name=document.name,
            title=document.title,
            sha256=document.sha256,
            encoding=document.encoding,
            chars=len(document.text),
            passages=outcome.passages,
            damage=outcome.damage,
            repairs=outcome.repairs,
            pipeline=pipeline_version(),
        )
        for identity in filter(None, (document.id, prepared.instead_of)):
            if other := self._by_id.pop(identity, None):
                del self._by_name[other.name]
                if self._by_content.get(other.sha256) is other:
                    del self._by_content[other.sha256]
        self._by_id[document.id] = self._by_name[document.name] = self._by_content[document.sha256] = info


def check_sent(name: str, size: int, settings: Settings) -> None:
    """Whether a document that is sent, of `size` bytes, can be taken in under this name.

    Raises:
        InputError: the name is none for a document.
        TooLargeError: there are more than `max_document_mb`.
    """
    path = PurePosixPath(name)
    leads_elsewhere = path.is_absolute() or ".." in path.parts or "\\" in name
    if not name.strip() or not path.parts or leads_elsewhere or len(name) > LONGEST_NAME or NO_TEXT.search(name):
        raise InputError(
            f"{name!r}: not a document's name. Give a file name or a path below a folder, like notes/a.md."
        )
    limit = settings.max_document_mb
    if size > limit * 1_000_000:
        raise TooLargeError(
            f"{name}: {size / 1e6:.1f} MB; max_document_mb is {limit:g}. Split it, or raise GUIDE_MAX_DOCUMENT_MB."
        )


def _changes(prepared: Sequence[_Prepared], embedder: Embedder) -> list[Change]:
    passages = [passage for item in prepared for passage in item.read.passages]
    vectors = embedder.embed_passages([passage.indexed for passage in passages])
    lines = line_vectors(passages, embedder) if embedder.quick else []
    changes: list[Change] = []
    start = 0
    for item in prepared:
        read, end = item.read, start + len(item.read.passages)
        kept = vectors[start:end], pipeline_version(), item.instead_of, read.tables, lines[start:end]
        changes.append(Change(read.document, read.passages, *kept))
        start = end
    return changes


def _is_full(group: Sequence[Ingested | _Prepared]) -> bool:
    passages = sum(len(item.read.passages) for item in group if isinstance(item, _Prepared))
    return len(group) >= GROUP_DOCUMENTS or passages >= GROUP_PASSAGES
