"""Documents that are sent, listed and deleted, as private-gpt's clients do it."""

import asyncio
import io
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, File, Header, Query, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from api.jobs import Job
from api.problems import documented
from api.routes.dependencies import GivenServices
from api.schemas_documents import IngestedDoc, IngestedList, IngestStatus, TextRequest
from api.services import Services
from api.uploads import check_alone, file_name
from ingest.pipeline import Ingested

router = APIRouter(
    prefix="/v1/ingest",
    tags=["documents"],
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
SENT = {
    HTTPStatus.ACCEPTED.value: {"model": IngestStatus, "description": "It waits for its turn; ask after its track_id"},
    **documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.TOO_MANY_REQUESTS,
    ),
}


def _wanted(
    *,
    wait: Annotated[bool, Query(description="false: reply at once, with a track_id to ask after")] = True,
    prefer: Annotated[str | None, Header(description="`respond-async` is the same as wait=false")] = None,
) -> bool:
    """Whether the client waits until the document is taken in."""
    return wait and "respond-async" not in (prefer or "").lower()


Sent = IngestedList | Response
Waits = Annotated[bool, Depends(_wanted)]
# Most generators of clients know a file by its format, and not yet by the contentMediaType of OpenAPI 3.1.
SentFile = Annotated[UploadFile, File(json_schema_extra={"format": "binary"})]


@router.post("/file", response_model=IngestedList, responses=SENT)
async def ingest_file(file: SentFile, waits: Waits, request: Request, services: GivenServices) -> Sent:
    """A text file into the knowledge base, whatever its encoding, mojibake restored."""
    check_alone(await request.form())
    name = file_name(file)
    job = await run_in_threadpool(lambda: services.intake.send(name, file.file, file.size or 0))
    return await _reply(job, request, services, waits=waits)


@router.post("/text", response_model=IngestedList, responses=SENT)
async def ingest_text(text: TextRequest, waits: Waits, request: Request, services: GivenServices) -> Sent:
    """A text into the knowledge base."""
    data = text.text.encode()
    job = await run_in_threadpool(lambda: services.intake.send(text.file_name, io.BytesIO(data), len(data)))
    return await _reply(job, request, services, waits=waits)


@router.get("/status/{track_id}", responses=documented(HTTPStatus.NOT_FOUND))
def status(track_id: str, request: Request, services: GivenServices) -> IngestStatus:
    """How far the taking in of a document is; the latest thousand are remembered until the server ends."""
    return _status(services.intake.jobs.job(track_id), request, services)


@router.get("/list")
def list_documents(services: GivenServices) -> IngestedList:
    """All documents."""
    return IngestedList(data=tuple(map(IngestedDoc.of, services.store.documents())))


@router.delete("/{doc_id}", responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS))
def delete(doc_id: str, services: GivenServices) -> None:
    """A document and its passages out of the knowledge base."""
    services.intake.delete(doc_id)


async def _reply(job: Job[Ingested], request: Request, services: Services, *, waits: bool) -> Sent:
    if waits:
        outcome = await asyncio.shield(asyncio.wrap_future(job.finished))
        return IngestedList(data=(IngestedDoc.taken_in(outcome),), track_id=job.id)
    status = _status(job, request, services)
    place = request.url_for("status", track_id=job.id).path
    return JSONResponse(status.model_dump(mode="json"), HTTPStatus.ACCEPTED, headers={"Location": place})


def _status(job: Job[Ingested], request: Request, services: Services) -> IngestStatus:
    return IngestStatus.of(job, services.intake.jobs.ahead(job), request.url.path)
