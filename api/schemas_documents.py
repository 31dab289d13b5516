"""The JSON of documents that are sent and listed, in the shapes that private-gpt's clients know."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints

from api.jobs import Job
from api.problems import describe
from api.schemas import Asked, Wire
from api.schemas_status import Problem
from ingest.pipeline import Ingested
from kb.store import DocumentInfo


class TextRequest(Asked):
    """A text to take in as a document of this name."""

    file_name: Annotated[str, StringConstraints(min_length=1)] = Field(examples=["notes/lora.md"])
    text: Annotated[str, StringConstraints(min_length=1)] = Field(examples=["# LoRA\n\nLoRA 只训练低秩矩阵。"])


class IngestedDoc(Wire):
    """A document as it is known; `doc_metadata` has `file_name`, `title`, `encoding`, `passages` and the like."""

    object: Literal["ingest.document"] = "ingest.document"
    doc_id: str
    doc_metadata: dict[str, Any]

    @classmethod
    def of(cls, info: DocumentInfo) -> Self:
        metadata = {
            "file_name": info.name,
            "title": info.title,
            "encoding": info.encoding,
            "sha256": info.sha256,
            "chars": info.chars,
            "passages": info.passages,
            "damage": list(info.damage),
            "repairs": info.repairs,
        }
        return cls(doc_id=info.id, doc_metadata=metadata)

    @classmethod
    def taken_in(cls, outcome: Ingested) -> Self:
        metadata = {
            "file_name": outcome.name,
            "status": outcome.status,
            "passages": outcome.passages,
            "damage": list(outcome.damage),
            "repairs": outcome.repairs,
        }
        return cls(doc_id=outcome.document_id, doc_metadata=metadata)


class IngestedList(Wire):
    """The documents that were taken in, or all there are; `track_id` is that of the job that took them in."""

    object: Literal["list"] = "list"
    model: Literal["private-gpt"] = "private-gpt"
    data: tuple[IngestedDoc, ...]
    track_id: str | None = None


class IngestStatus(Wire):
    """How far the taking in of a document is.

    `progress` goes from 0 to 1; `ahead` is how many others come first. `data` has the document once it is done,
    `problem` what went wrong when it failed.
    """

    track_id: str
    file_name: str
    status: Literal["queued", "running", "done", "failed"]
    stage: str
    progress: float
    ahead: int
    data: tuple[IngestedDoc, ...] = ()
    problem: Problem | None = None

    @classmethod
    def of(cls, job: Job[Ingested], ahead: int, instance: str) -> Self:
        state = job.state  # once: it may change meanwhile
        failure = job.finished.exception() if state == "failed" else None
        return cls(
            track_id=job.id,
            file_name=job.name,
            status=state,
            stage=job.stage,
            progress=job.progress,
            ahead=ahead,
            data=(IngestedDoc.taken_in(job.finished.result()),) if state == "done" else (),
            problem=describe(failure, instance) if failure else None,
        )
