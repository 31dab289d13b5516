"""Questions: passages for them, answers to them, and answers side by side."""

from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request

from api.problems import describe, documented
from api.routes.dependencies import GivenDesk, GivenMetrics, GivenServices
from api.schemas import AskReply, AskRequest, CompareReply, CompareRequest, SearchReply, SearchRequest
from api.streaming import DONE, EVENTS, event, events
from kb.records import Answer

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer, whole or with `stream` in events that end with [DONE]", "content": EVENTS}
}

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
def search(request: SearchRequest, services: GivenServices, metrics: GivenMetrics) -> SearchReply:
    """The passages nearest to a question, best first; nothing is generated."""
    found = services.search(request.question, request.top_k, request.within())
    metrics.stages(found.timings_ms)
    return SearchReply.of(request.question, found, request.id)


@router.post("/ask", response_model=AskReply, responses=documented(HTTPStatus.NOT_FOUND) | STREAMED)
async def ask(asked: AskRequest, request: Request, services: GivenServices, desk: GivenDesk) -> Any:
    """An answer with its citations, or an abstention when the documents hold none."""
    begin = partial(
        services.stream,
        asked.question,
        mode=asked.mode,
        adapter=asked.adapter,
        top_k=asked.top_k,
        within=asked.within(),
    )
    if asked.stream:
        return events(_asked_events(await desk.begun(begin), asked))
    return AskReply.of(await desk.whole(request, begin), asked.id)


@router.post("/compare")
async def compare(asked: CompareRequest, request: Request, services: GivenServices, desk: GivenDesk) -> CompareReply:
    """The same question plain and with retrieval, without and with the adapter, from the same weights and seed."""
    compared = await desk.run(request, partial(services.compare, asked.question, asked.seed))
    return CompareReply.of(compared, asked.id)


async def _asked_events(written: AsyncIterator[str | Answer], asked: AskRequest) -> AsyncIterator[bytes]:
    """The text in pieces as `{"delta": …}`, then the whole reply and `[DONE]`, or else the problem."""
    try:
        async for piece in written:
            yield event({"delta": piece} if isinstance(piece, str) else AskReply.of(piece, asked.id))
    except Exception as problem:  # noqa: BLE001 - the status was sent long ago
        yield event({"error": describe(problem, "/v1/ask").model_dump(exclude_none=True)})
        return
    yield DONE
