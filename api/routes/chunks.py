"""Passages for a text, as private-gpt's clients ask for them."""

from http import HTTPStatus

from fastapi import APIRouter

from api.problems import documented
from api.routes.dependencies import GivenMetrics, GivenServices
from api.schemas import Filtered
from api.schemas_openai import Chunk, ChunkList, ChunksRequest

router = APIRouter(
    prefix="/v1",
    tags=["questions"],
    responses=documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


@router.post("/chunks")
def chunks(asked: ChunksRequest, services: GivenServices, metrics: GivenMetrics) -> ChunkList:
    """The passages nearest to a text, each with those before and after it in its document."""
    found = services.search(asked.text, asked.limit, Filtered(context_filter=asked.context_filter).within())
    metrics.stages(found.timings_ms)
    retriever, count = services.retriever, asked.prev_next_chunks
    return ChunkList(
        data=tuple(
            Chunk.of(hit.passage, hit.score, retriever.neighbours(hit.passage, count) if count else None)
            for hit in found.hits
        )
    )
