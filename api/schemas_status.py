"""The JSON of what a server says of itself: whether it can answer, and what went wrong."""

from typing import Literal

from pydantic import BaseModel

from api.schemas import Wire


class Health(Wire):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Readiness(Wire):
    """Whether questions can be answered, and what is missing when they can't."""

    status: Literal["ready", "not ready"]
    missing: tuple[str, ...]


class ProblemForOpenAI(BaseModel):
    """An error in the form of OpenAI."""

    message: str
    type: str
    code: int


class Problem(BaseModel):
    """An error as RFC 9457 has it.

    `errors` names each field at fault of a request that isn't valid, `doc_id` the document that a duplicate is one of,
    and `error` says the same again on the routes of OpenAI, where its clients look for it.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[dict[str, str]] | None = None
    doc_id: str | None = None
    error: ProblemForOpenAI | None = None
