"""Evaluations: begun, and asked after until they are done."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from api.evaluating import submit_evaluation
from api.problems import documented
from api.routes.dependencies import GivenServices
from api.schemas_evaluation import EvaluateRequest, EvaluateStatus

router = APIRouter(prefix="/v1/evaluate", tags=["evaluation"])


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
def evaluate(asked: EvaluateRequest, request: Request, response: Response, services: GivenServices) -> EvaluateStatus:
    """Scores retrieval and answers over questions whose answers are known, one question after another."""
    job = submit_evaluation(services, [question.graded() for question in asked.questions], answers=asked.answers)
    response.headers["Location"] = f"{request.url.path}/{job.id}"
    return EvaluateStatus.of(job, services.evaluations.ahead(job), request.url.path)


@router.get("/{track_id}", responses=documented(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY))
def evaluation(track_id: str, request: Request, services: GivenServices) -> EvaluateStatus:
    """How far an evaluation is, and its report when it is done."""
    job = services.evaluations.job(track_id)
    return EvaluateStatus.of(job, services.evaluations.ahead(job), request.url.path)
