"""The JSON of documents with what was inferred in them, and of `guide repair`'s report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field

from api.schemas import Wire
from kb.records import Document, Repair

if TYPE_CHECKING:
    from ingest.mojibake import Restored
    from ingest.read import Decoded


class RepairOut(Wire):
    """An inferred stretch `[start, end)` of the restored text, and the damaged text that stood there.

    It is doubtful when its confidence is below the setting `repair_threshold`.
    """

    start: int
    end: int
    before: str
    after: str
    confidence: float
    alternatives: tuple[str, ...]
    doubtful: bool

    @classmethod
    def of(cls, repair: Repair, threshold: float) -> Self:
        return cls(
            start=repair.start,
            end=repair.end,
            before=repair.before,
            after=repair.after,
            confidence=repair.confidence,
            alternatives=repair.alternatives,
            doubtful=repair.confidence < threshold,
        )


class DocumentOut(Wire):
    """A document as it is known: its restored text, what was inferred in it, and where its pages begin."""

    id: str
    name: str
    title: str
    text: str
    encoding: str
    sha256: str
    damage: tuple[str, ...]
    repairs: tuple[RepairOut, ...]
    page_starts: tuple[int, ...] = Field(default=(), exclude_if=lambda starts: not starts)

    @classmethod
    def of(cls, document: Document, threshold: float) -> Self:
        return cls(
            id=document.id,
            name=document.name,
            title=document.title,
            text=document.text,
            encoding=document.encoding,
            sha256=document.sha256,
            damage=document.damage,
            repairs=tuple(RepairOut.of(repair, threshold) for repair in document.repairs),
            page_starts=document.page_starts,
        )


class ReceivedOut(Wire):
    """The text of a document before its mojibake was restored, line for line that of the restored text."""

    id: str
    name: str
    encoding: str
    text: str

    @classmethod
    def of(cls, document: Document) -> Self:
        text = document.text if document.received is None else document.received
        return cls(id=document.id, name=document.name, encoding=document.encoding, text=text)


class RepairedOut(Wire):
    """One repaired document: its damage, and how many of its characters lost bytes.

    Of those some were restored, `doubtful` of them without much confidence, and `lost` are those that nothing can bring
    back.
    """

    source: str
    encoding: str
    damage: tuple[str, ...]
    short_of_bytes: int
    restored: int
    doubtful: int
    lost: int
    repairs: tuple[RepairOut, ...]

    @classmethod
    def of(cls, source: str, decoded: "Decoded", restored: "Restored", threshold: float) -> Self:
        repairs = tuple(RepairOut.of(repair, threshold) for repair in restored.repairs)
        characters = sum(len(repair.after) for repair in repairs)
        return cls(
            source=source,
            encoding=decoded.encoding,
            damage=restored.damage,
            short_of_bytes=characters + restored.lost,
            restored=characters,
            doubtful=sum(len(repair.after) for repair in repairs if repair.doubtful),
            lost=restored.lost,
            repairs=repairs,
        )


class RepairTotal(Wire):
    """All documents of one run; `failed` came to nothing (unreadable, for one) and are not among `documents`."""

    documents: int
    damaged: int
    failed: int
    short_of_bytes: int
    restored: int
    doubtful: int
    lost: int


class RepairReport(Wire):
    """What `guide repair` reports with `--report` and `--json`."""

    documents: tuple[RepairedOut, ...]
    threshold: float
    total: RepairTotal

    @classmethod
    def of(cls, documents: Sequence[RepairedOut], *, failed: int, threshold: float) -> Self:
        total = RepairTotal(
            documents=len(documents),
            damaged=sum(bool(document.damage) for document in documents),
            failed=failed,
            short_of_bytes=sum(document.short_of_bytes for document in documents),
            restored=sum(document.restored for document in documents),
            doubtful=sum(document.doubtful for document in documents),
            lost=sum(document.lost for document in documents),
        )
        return cls(documents=tuple(documents), threshold=threshold, total=total)
