"""A typed client of the REST interface."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from api.schemas import AskReply, CompareReply, DocumentList, DocumentRow, SearchReply
from api.schemas_chat import ChatCompletion
from api.schemas_documents import IngestedDoc, IngestedList, IngestStatus
from api.schemas_evaluation import EvaluateStatus
from api.schemas_openai import Chunk, ChunkList, EmbeddingList, ModelCard, ModelList
from api.schemas_repairs import DocumentOut
from api.schemas_status import Health, Problem, Readiness
from api.schemas_tables import TableList, TableOut
from kb.errors import GuideError

__all__ = ["GuideClient", "ServerProblem"]

TIMEOUT_SECONDS = 120.0
TRIES = 5
BUSY, NOT_READY = 429, 503

Value = TypeVar("Value", bound=BaseModel)


class ServerProblem(GuideError):  # noqa: N818 - it is the problem that the server told of
    """What the server refused or could not do; `problem` has its status, type and detail."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class GuideClient:
    """Calls a `guide serve`; every method raises ServerProblem, or httpx.HTTPError where no server answers."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", api_key: str | None = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health(self) -> Health:
        return self._get(Health, "/health")

    def ready(self) -> Readiness:
        """Whether questions can be answered; a server that can't yet is no problem here."""
        response = self._http.get("/ready")
        if response.status_code != NOT_READY:
            _checked(response)
        return Readiness.model_validate_json(response.content)

    def search(self, question: str, *, top_k: int | None = None, **filters: Any) -> SearchReply:
        """The nearest passages; `filters` are `context_filter`, `document`, `section` and `kind`."""
        return self._post(SearchReply, "/v1/search", {"question": question, "top_k": top_k, **filters})

    def ask(self, question: str, **options: Any) -> AskReply:
        """An answer; `options` are `mode`, `adapter`, `top_k`, `id` and the filters of a search."""
        return self._post(AskReply, "/v1/ask", {"question": question, **options})

    def ask_stream(self, question: str, **options: Any) -> Iterator[str | AskReply]:
        """The answer's text piece by piece, then the whole reply; leaving it stops the writing."""
        for event in self._events("/v1/ask", {"question": question, **options, "stream": True}):
            yield event["delta"] if "delta" in event else AskReply.model_validate_json(json.dumps(event))

    def compare(self, question: str, *, seed: int = 0) -> CompareReply:
        return self._post(CompareReply, "/v1/compare", {"question": question, "seed": seed})

    def chat(self, messages: Iterable[Mapping[str, str]], **options: Any) -> ChatCompletion:
        """The next turn; `options` are those of `/v1/chat/completions`, like `model` and `use_context`."""
        return self._post(ChatCompletion, "/v1/chat/completions", {"messages": list(messages), **options})

    def chat_stream(self, messages: Iterable[Mapping[str, str]], **options: Any) -> Iterator[str]:
        """The next turn's text piece by piece; leaving it stops the writing."""
        asked = {"messages": list(messages), **options, "stream": True}
        for event in self._events("/v1/chat/completions", asked):
            for choice in event["choices"]:
                if text := choice["delta"].get("content"):
                    yield text

    def chunks(self, text: str, *, limit: int = 10, prev_next_chunks: int = 0, **options: Any) -> tuple[Chunk, ...]:
        asked = {"text": text, "limit": limit, "prev_next_chunks": prev_next_chunks, **options}
        return self._post(ChunkList, "/v1/chunks", asked).data

    def embed(self, texts: list[str]) -> list[list[float]]:
        found = self._post(EmbeddingList, "/v1/embeddings", {"input": texts})
        return [embedding.embedding for embedding in found.data if isinstance(embedding.embedding, list)]

    def models(self) -> tuple[ModelCard, ...]:
        return self._get(ModelList, "/v1/models").data

    def ingest_file(self, path: str | Path) -> IngestedDoc:
        """Sends a text file and waits until questions find it."""
        path = Path(path)
        return self._post(IngestedList, "/v1/ingest/file", files={"file": (path.name, path.read_bytes())}).data[0]

    def ingest_text(self, file_name: str, text: str) -> IngestedDoc:
        return self._post(IngestedList, "/v1/ingest/text", {"file_name": file_name, "text": text}).data[0]

    def send_text(self, file_name: str, text: str) -> IngestStatus:
        """Sends a text and does not wait; `ingest_status` tells how far it is."""
        return self._post(IngestStatus, "/v1/ingest/text?wait=false", {"file_name": file_name, "text": text})

    def ingest_status(self, track_id: str) -> IngestStatus:
        return self._get(IngestStatus, f"/v1/ingest/status/{track_id}")

    def delete(self, doc_id: str) -> None:
        self._call("DELETE", f"/v1/ingest/{quote(doc_id, safe='')}")

    def documents(self) -> tuple[DocumentRow, ...]:
        return self._get(DocumentList, "/v1/documents").documents

    def document(self, id_or_name: str) -> DocumentOut:
        """A document with its restored text and its repairs."""
        return self._get(DocumentOut, f"/v1/documents/{quote(id_or_name, safe='')}")

    def tables(self, document: str | None = None) -> tuple[TableOut, ...]:
        return self._get(TableList, "/v1/tables", document=document).tables

    def table(self, id_or_title: str) -> TableOut:
        return self._get(TableOut, f"/v1/tables/{quote(id_or_title, safe='')}")

    def evaluate(self, questions: list[dict[str, Any]], *, answers: bool = True) -> EvaluateStatus:
        """Begins an evaluation; `evaluation` tells how far it is, and has its report."""
        return self._post(EvaluateStatus, "/v1/evaluate", {"questions": questions, "answers": answers})

    def evaluation(self, track_id: str) -> EvaluateStatus:
        return self._get(EvaluateStatus, f"/v1/evaluate/{track_id}")

    def _get(self, kind: type[Value], path: str, **params: str | None) -> Value:
        given = {name: value for name, value in params.items() if value is not None}
        return kind.model_validate_json(self._call("GET", path, params=given).content)

    def _post(self, kind: type[Value], path: str, body: dict[str, Any] | None = None, **options: Any) -> Value:
        return kind.model_validate_json(self._call("POST", path, json=_given(body), **options).content)

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        for attempt in range(1, TRIES + 1):
            response = self._http.request(method, path, **options)
            if response.status_code != BUSY or attempt == TRIES:
                break
            time.sleep(float(response.headers.get("Retry-After", 1)))
        return _checked(response)

    def _events(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with self._http.stream("POST", path, json=_given(body)) as response:
            if response.is_error:
                response.read()
            _checked(response)
            for line in response.iter_lines():
                data = line.removeprefix("data: ")
                if data in {"", "[DONE]"}:
                    continue
                event: dict[str, Any] = json.loads(data)
                if "error" in event:
                    raise ServerProblem(_problem_of(event["error"], path))
                yield event


def _given(body: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if body is None else {name: value for name, value in body.items() if value is not None}


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        try:
            told = response.json()
        except ValueError:
            told = {}
        known = told if isinstance(told, dict) else {}  # a proxy's own reply may be anything
        raise ServerProblem(_problem_of({"status": response.status_code, **known}, response.url.path))
    return response


def _problem_of(told: Mapping[str, Any], path: str) -> Problem:
    """The problem that a reply tells of, whichever of its members are there."""
    detail = told.get("detail") or told.get("message") or "The server says nothing more."
    status = told.get("status") or told.get("code") or 500
    known = {name: told[name] for name in Problem.model_fields if name in told}
    return Problem.model_validate(
        {"type": "about:blank", "title": "", "instance": path, **known, "detail": detail, "status": status}
    )
