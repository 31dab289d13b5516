"""The documents of the knowledge base, with what was restored in them."""

from http import HTTPStatus

from fastapi import APIRouter

from api.problems import documented
from api.routes.dependencies import GivenServices
from api.schemas import DocumentList, DocumentRow
from api.schemas_repairs import DocumentOut, ReceivedOut

router = APIRouter(
    prefix="/v1/documents",
    tags=["documents"],
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)


@router.get("")
def list_documents(services: GivenServices) -> DocumentList:
    """All documents, by name, with the counts of their passages and repairs."""
    return DocumentList(documents=tuple(map(DocumentRow.model_validate, services.store.documents())))


@router.get("/{document_id:path}/received", responses=documented(HTTPStatus.NOT_FOUND))
def received(document_id: str, services: GivenServices) -> ReceivedOut:
    """A document's text as it was received: decoded, but its mojibake not restored."""
    return ReceivedOut.of(services.store.document(document_id))


@router.get("/{document_id:path}", responses=documented(HTTPStatus.NOT_FOUND))
def show(document_id: str, services: GivenServices) -> DocumentOut:
    """A document by its id or name: its restored text, and each repair with its span and confidence."""
    return DocumentOut.of(services.store.document(document_id), services.settings.repair_threshold)
