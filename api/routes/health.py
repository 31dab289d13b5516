"""Whether the process runs, and whether it can answer."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Response

from api.observe import CONTENT_TYPE_LATEST
from api.problems import documented
from api.routes.dependencies import GivenMetrics, GivenServices
from api.schemas_status import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> Health:
    """The process runs; says nothing about models or documents."""
    return Health()


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def read_metrics(metrics: GivenMetrics) -> Response:
    """Requests, their times, the stages of answers, what waits and what there is, for Prometheus."""
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/ready",
    responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY)
    | {503: {"model": Readiness, "description": "Not ready; `missing` says why"}},
)
def ready(services: GivenServices, response: Response, accept_language: Annotated[str, Header()] = "en") -> Readiness:
    """Whether questions can be answered; the first call loads the models."""
    missing = services.missing("zh" if accept_language.lower().startswith("zh") else "en")
    if missing:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(status="not ready" if missing else "ready", missing=missing)
