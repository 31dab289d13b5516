"""Questions: passages for them, answers to them, and answers side by side."""

from http import HTTPStatus

from fastapi import APIRouter

from api.problems import documented
from api.routes.dependencies import GivenServices
from api.schemas import AskReply, AskRequest, CompareReply, CompareRequest, SearchReply, SearchRequest

router = APIRouter(
    prefix="/v1",
    tags=["questions"],
    responses=documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


@router.post("/search", responses=documented(HTTPStatus.NOT_FOUND))
def search(request: SearchRequest, services: GivenServices) -> SearchReply:
    """The passages nearest to a question, best first; nothing is generated."""
    found = services.search(request.question, request.top_k, request.within())
    return SearchReply.of(request.question, found, request.id)


@router.post("/ask", responses=documented(HTTPStatus.NOT_FOUND))
def ask(request: AskRequest, services: GivenServices) -> AskReply:
    """An answer with its citations, or an abstention when the documents hold none."""
    answer = services.ask(
        request.question, mode=request.mode, adapter=request.adapter, top_k=request.top_k, within=request.within()
    )
    return AskReply.of(answer, request.id)


@router.post("/compare")
def compare(request: CompareRequest, services: GivenServices) -> CompareReply:
    """The same question plain and with retrieval, without and with the adapter, from the same weights and seed."""
    return CompareReply.of(services.compare(request.question, request.seed), request.id)
