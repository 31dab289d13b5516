"""Every error of the REST interface as problem details (RFC 9457, application/problem+json)."""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.faults import FORM, fields_at_fault, no_json, told_of
from api.schemas_status import Problem, ProblemForOpenAI
from kb.errors import (
    BusyError,
    ChatServerError,
    ConfigError,
    DuplicateError,
    GuideError,
    InputError,
    ModelError,
    NotFoundError,
    StoreError,
    TooLargeError,
    UnreachableError,
    WorkerError,
)

MEDIA_TYPE = "application/problem+json"
PROBLEM = {"$ref": f"#/components/schemas/{Problem.__name__}"}  # is there, for the status of a job may hold one
STATUS: Mapping[type[GuideError], HTTPStatus] = {
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DuplicateError: HTTPStatus.CONFLICT,
    NotFoundError: HTTPStatus.NOT_FOUND,
    BusyError: HTTPStatus.TOO_MANY_REQUESTS,
    ConfigError: HTTPStatus.INTERNAL_SERVER_ERROR,
    ChatServerError: HTTPStatus.SERVICE_UNAVAILABLE,
    ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    UnreachableError: HTTPStatus.SERVICE_UNAVAILABLE,
    WorkerError: HTTPStatus.SERVICE_UNAVAILABLE,
}
RETRY_AFTER_SECONDS = 5
OPENAI_ROUTES = ("/v1/chat/", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/responses")
UNFORESEEN = "Something went wrong here; the server's log says what."

_log = logging.getLogger("guide")


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route for OpenAPI: these statuses come as problem details."""
    content = {MEDIA_TYPE: {"schema": PROBLEM}}
    return {int(status): {"description": status.phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Answer every error of `app` with problem details."""
    app.add_exception_handler(GuideError, _guide_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def describe(error: BaseException, instance: str) -> Problem:
    """The problem that an error is; one that nobody foresaw tells nothing of the inside."""
    if not isinstance(error, GuideError):
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, UNFORESEEN, instance)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    doc_id = error.document_id if isinstance(error, DuplicateError) else None
    return _problem(status, str(error), instance, kind=f"urn:guide:problem:{kind}", doc_id=doc_id)


def reply(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response that tells of a problem."""
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def refusal(status: HTTPStatus, detail: str, instance: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response to a request that is not let in."""
    return reply(_problem(status, detail, instance), headers)


def _guide_error(request: Request, error: Exception) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, BusyError) else None
    return reply(describe(error, _place(request)), headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    if (reason := no_json(error.errors())) is not None:
        return refusal(HTTPStatus.BAD_REQUEST, reason, _place(request))
    fields = fields_at_fault(error.errors(), request.headers.get("content-type", ""))
    detail = told_of(fields)
    status, kind = HTTPStatus.UNPROCESSABLE_ENTITY, "urn:guide:problem:invalid-request"
    return reply(_problem(status, detail, _place(request), kind=kind, errors=fields))


def _http_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    detail = error.detail
    if status is HTTPStatus.NOT_FOUND:
        instead = " Use /v1/chat/completions." if _place(request) == "/v1/responses" else ""
        detail = f"There is no {_place(request)} here; /docs lists the routes.{instead}"
    elif status is HTTPStatus.BAD_REQUEST:
        form = request.headers.get("content-type", "").startswith("multipart/")
        detail = f"The body can't be read. {FORM if form else 'Send one JSON object in UTF-8.'}"
    elif status is HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{_place(request)} does not take {request.method}; /docs lists what it takes."
    return refusal(status, detail, _place(request), error.headers)


def _place(request: Request) -> str:
    """The path that was asked for, without what a proxy takes from it."""
    path: str = request.scope["path"]
    scope = request.scope  # where files are mounted, its root_path has the mount's path too
    return path.removeprefix(scope.get("app_root_path", scope.get("root_path", "")))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s %s failed", request.method, _place(request), exc_info=error)
    return reply(describe(error, _place(request)))


def _problem(status: HTTPStatus, detail: str, instance: str, *, kind: str = "about:blank", **more: Any) -> Problem:
    told = ProblemForOpenAI(message=detail, type=kind, code=status) if instance.startswith(OPENAI_ROUTES) else None
    return Problem(type=kind, title=status.phrase, status=status, detail=detail, instance=instance, error=told, **more)
