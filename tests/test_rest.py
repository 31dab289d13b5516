"""The REST interface: replies as docs/design.md has them, and errors as RFC 9457 has them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import httpx2
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.problems import STATUS
from api.services import Services
from kb import errors
from kb.records import PassageKind
from kb.settings import Settings, load_settings

LOOPBACK = "http://127.0.0.1"
QUESTION = "QLoRA 的适用场景是什么？"
JSON = {"content-type": "application/json"}
PASSAGE_KINDS = get_args(PassageKind)
PASSAGE_KEYS = {"rank", "score", "dense", "lexical", "text", "source", "section", "kind", "start", "end", "lines"}
TABLE_KEYS = {"id", "document_id", "source", "kind", "title", "section", "columns", "lines", "rows"}
CITATION_KEYS = {"n", "quote", "source", "section", "start", "end", "lines", "restored"}


@pytest.fixture(scope="module")
def client(guide_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(guide_settings), base_url=LOOPBACK) as client:
        yield client


@pytest.fixture
def empty_client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(load_settings(home=tmp_path)), base_url=LOOPBACK) as client:
        yield client


def problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    details: dict[str, Any] = response.json()
    assert details["status"] == status
    assert {"type", "title", "detail", "instance"} <= set(details)
    return details


def test_health_needs_nothing(empty_client: TestClient) -> None:
    assert empty_client.get("/health").json() == {"status": "ok"}


def test_ready_once_the_guide_is_in(client: TestClient) -> None:
    response = client.get("/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "missing": []}


def test_not_ready_says_what_is_missing(empty_client: TestClient) -> None:
    response = empty_client.get("/ready")
    assert response.status_code == 503
    assert response.json()["status"] == "not ready"
    assert "guide ingest" in response.json()["missing"][0]


HALF = "a\ud800"  # of a character: JSON can tell it, and no text can hold it


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("search", {"question": QUESTION, "id": HALF}),
        ("ask", {"question": QUESTION, "adapter": HALF}),
        ("ask", {"question": HALF}),
        ("search", {"question": QUESTION, "context_filter": {"docs_ids": [HALF]}}),
        ("chat/completions", {"messages": [{"role": "user", "content": HALF}]}),
        ("chat/completions", {"model": HALF, "messages": [{"role": "user", "content": "a"}]}),
        ("chat/completions", {"stop": HALF, "messages": [{"role": "user", "content": "a"}]}),
        ("embeddings", {"input": [HALF]}),
        ("evaluate", {"questions": [{"question": "a", "kind": HALF}]}),
        ("ingest/text", {"file_name": "a.md", "text": HALF}),
    ],
)
def test_half_a_character_is_no_text(client: TestClient, path: str, body: dict[str, Any]) -> None:
    told = problem(client.post(f"/v1/{path}", content=json.dumps(body), headers=JSON), 422)
    assert "unicode" in told["detail"]


def test_search_replies_with_ranked_passages(client: TestClient, services: Services) -> None:
    reply = client.post("/v1/search", json={"question": QUESTION, "top_k": 3, "id": "q1"}).json()
    assert set(reply) == {"id", "question", "passages", "timings_ms", "answerable", "understood"}
    assert 0.5 < reply["answerable"] <= 1
    assert reply["understood"] == QUESTION
    assert (reply["id"], reply["question"]) == ("q1", QUESTION)
    assert [passage["rank"] for passage in reply["passages"]] == [1, 2, 3]
    for passage in reply["passages"]:
        assert set(passage) == PASSAGE_KEYS
        text = services.store.document(passage["source"]).text
        assert text[passage["start"] : passage["end"]] == passage["text"]


@pytest.mark.parametrize("way", ["search", "ask"])
@pytest.mark.parametrize(
    "held",
    [
        {"context_filter": {"docs_ids": ["llm_guide.md"]}},
        {"document": "llm_guide.md", "kind": "list"},
        {"context_filter": {"docs_ids": ["llm_guide.md", "quick_start.md"]}, "document": "llm_guide.md"},
    ],
)
def test_only_passages_that_the_filter_allows(client: TestClient, way: str, held: dict[str, Any]) -> None:
    passages = client.post(f"/v1/{way}", json={"question": QUESTION, **held}).json()["passages"]
    assert {passage["source"] for passage in passages} == {"llm_guide.md"}
    assert {passage["kind"] for passage in passages} <= ({held["kind"]} if "kind" in held else {*PASSAGE_KINDS})


@pytest.mark.parametrize(
    "held", [{"context_filter": {"docs_ids": []}}, {"section": "没有这个标题"}, {"context_filter": None}]
)
def test_a_filter_may_allow_nothing_or_everything(client: TestClient, held: dict[str, Any]) -> None:
    found = client.post("/v1/search", json={"question": QUESTION, **held}).json()["passages"]
    assert bool(found) == (held == {"context_filter": None})


def test_a_filter_on_an_unknown_document_is_not_found(client: TestClient) -> None:
    asked = {"question": QUESTION, "context_filter": {"docs_ids": ["nowhere"]}}
    assert "nowhere" in problem(client.post("/v1/search", json=asked), 404)["detail"]


def test_a_whole_number_is_one_however_json_writes_it(client: TestClient) -> None:
    body = b'{"question": "LoRA", "top_k": 1.0, "id": 7.0}'
    reply = client.post("/v1/search", content=body, headers=JSON).json()
    assert (len(reply["passages"]), reply["id"]) == (1, 7)


def test_ask_replies_with_an_answer_whose_quotes_stand_in_the_documents(client: TestClient, services: Services) -> None:
    reply = client.post("/v1/ask", json={"question": QUESTION}).json()
    assert set(reply) == {
        "id", "question", "answer", "abstained", "mode", "style", "model", "adapter", "citations", "passages", "usage",
        "timings_ms", "answerable", "understood",
    }  # fmt: skip
    assert reply["mode"] == "rag"
    assert set(reply["usage"]) == {"prompt_tokens", "completion_tokens"}
    assert reply["citations"]
    for citation in reply["citations"]:
        assert set(citation) == CITATION_KEYS
        assert f"[{citation['n']}]" in reply["answer"]
        text = services.store.document(citation["source"]).text
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_ask_plain_without_adapter_cites_nothing(client: TestClient) -> None:
    reply = client.post("/v1/ask", json={"question": QUESTION, "mode": "plain", "adapter": "none"}).json()
    assert (reply["mode"], reply["adapter"], reply["citations"], reply["passages"]) == ("plain", None, [], [])


def test_compare_replies_with_four_variants(client: TestClient) -> None:
    reply = client.post("/v1/compare", json={"question": QUESTION, "seed": 7}).json()
    assert set(reply) == {"id", "question", "seed", "answers"}
    assert reply["seed"] == 7
    assert {answer["variant"] for answer in reply["answers"]} == {"plain", "plain+adapter", "rag", "rag+adapter"}
    for answer in reply["answers"]:
        assert set(answer) == {"variant", "answer", "abstained", "citations", "grounded", "seconds", "tokens"}
        assert 0 <= answer["grounded"] <= 1


@pytest.mark.parametrize("route", ["/v1/search", "/v1/ask", "/v1/compare"])
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": "  \n"}, "question"),
        ({"question": 3}, "question"),
        ({"question": "a", "frobnicate": 1}, "frobnicate"),
        ({"question": "a", "id": False}, "id"),
        ({"question": "问" * 100_000}, "GUIDE_MAX_QUESTION_CHARS"),
        ([], "body"),
    ],
    ids=["nothing", "empty", "blank", "number", "unknown field", "wrong type", "100,000 characters", "list"],
)
def test_a_request_that_is_not_valid_is_a_problem(client: TestClient, route: str, body: object, reason: str) -> None:
    details = problem(client.post(route, json=body), 422)
    assert reason in details["detail"]
    assert details["instance"] == route


@pytest.mark.parametrize("body", [b"{", b'{"question": "\xff"}', b'{"question": "\\ud800"}', b"", b"[" * 10_000])
def test_a_body_that_is_no_json_text_is_a_problem(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/search", content=body, headers=JSON)
    assert response.status_code in {400, 422}
    problem(response, response.status_code)


def test_json_that_is_sent_as_something_else_is_told_so(client: TestClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # as `curl -d` sends it
    details = problem(client.post("/v1/ask", content=b'{"question": "a"}', headers=form), 422)
    assert "Content-Type: application/json" in details["detail"]
    assert "x-www-form-urlencoded" in details["detail"]


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/docs"])
def test_monitors_may_ask_for_the_head_alone(client: TestClient, path: str) -> None:
    assert client.head(path).status_code == 200


PREFIX = {"X-Forwarded-Prefix": "/guide/"}  # of a proxy that takes /guide from the path


def test_addresses_in_replies_lead_through_the_proxy(client: TestClient) -> None:
    page = client.get("/docs", headers=PREFIX).text
    addresses = re.findall(r"""(?:href|src)="(/[^"]+)|url: '([^']+)'""", page)
    assert len(addresses) >= 3
    for address in (asset or schema for asset, schema in addresses):
        assert address.startswith("/guide/")
        assert client.get(address.removeprefix("/guide"), headers=PREFIX).status_code == 200
    assert client.get("/openapi.json", headers=PREFIX).json()["servers"] == [{"url": "/guide"}]
    sent = client.post("/v1/evaluate", json={"answers": False, "questions": [{"question": "a"}]}, headers=PREFIX)
    assert sent.headers["location"].startswith("/guide/v1/evaluate/")
    details = problem(client.post("/v1/embeddings", json={"input": " "}, headers=PREFIX), 422)
    assert details["error"]["message"] == details["detail"]
    assert details["instance"] == "/v1/embeddings"


def test_a_prefix_that_is_no_path_counts_for_nothing(client: TestClient) -> None:
    assert "<script>x" not in client.get("/docs", headers={"X-Forwarded-Prefix": '/"><script>x'}).text


def test_each_field_at_fault_is_listed(client: TestClient) -> None:
    details = problem(client.post("/v1/search", json={"question": "", "top_k": 101}), 422)
    assert {error["field"] for error in details["errors"]} == {"body.question", "body.top_k"}


def test_an_unknown_adapter_names_those_there_are(client: TestClient) -> None:
    details = problem(client.post("/v1/ask", json={"question": QUESTION, "adapter": "no-such"}), 404)
    assert details["type"] == "urn:guide:problem:not-found"
    assert "no-such" in details["detail"]
    assert "none" in details["detail"]


def test_tables_are_served_whole_and_one_by_one(client: TestClient, services: Services) -> None:
    tables = client.get("/v1/tables").json()["tables"]
    assert set(tables[0]) == TABLE_KEYS
    assert {table["source"] for table in tables} > {"llm_guide.md", "peft_model_reference.md"}
    one = tables[12]
    assert client.get(f"/v1/tables/{one['id']}").json() == one
    assert client.get(f"/v1/tables/{one['title']}").json() == one
    with_slash = next(table for table in tables if "/" in table["title"])
    assert client.get(f"/v1/tables/{quote(with_slash['title'], safe='')}").json() == with_slash
    text = services.store.document(one["document_id"]).text
    for row in one["rows"]:
        assert set(row) == {"cells", "spans", "start", "end", "lines"}
        assert len(row["cells"]) == len(row["spans"]) == len(one["columns"])
        assert text[row["start"] : row["end"]].startswith("|")
    of_one = client.get("/v1/tables", params={"document": "llm_guide.md"}).json()["tables"]
    assert of_one == [table for table in tables if table["source"] == "llm_guide.md"]


def test_tables_that_are_not_there_are_a_problem(client: TestClient, empty_client: TestClient) -> None:
    assert "guide tables" in problem(client.get("/v1/tables/nothing"), 404)["detail"]
    assert "none.md" in problem(client.get("/v1/tables", params={"document": "none.md"}), 404)["detail"]
    assert "Give an id" in problem(client.get("/v1/tables/家族"), 422)["detail"]
    assert empty_client.get("/v1/tables").json() == {"tables": []}


def test_questions_before_any_document_are_a_problem(empty_client: TestClient) -> None:
    details = problem(empty_client.post("/v1/ask", json={"question": "什么？"}), 503)
    assert "guide ingest" in details["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/v1/ask", 405), ("DELETE", "/health", 405)]
)
def test_what_is_not_there_is_a_problem(client: TestClient, method: str, path: str, status: int) -> None:
    assert "/docs" in problem(client.request(method, path), status)["detail"]


def test_an_unexpected_error_is_a_problem_that_tells_nothing_of_the_inside(guide_settings: Settings) -> None:
    app = create_app(guide_settings)

    @app.get("/boom")
    def boom() -> None:
        raise RuntimeError("a secret")

    with TestClient(app, raise_server_exceptions=False, base_url=LOOPBACK) as client:
        assert "secret" not in json.dumps(problem(client.get("/boom"), 500))


def test_every_error_of_the_tree_has_a_status() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)} - {errors.GuideError}
    assert set(STATUS) == kinds


def test_the_documentation_needs_no_internet(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page


def test_openapi_tells_of_every_route_and_its_problems(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/health", "/ready", "/v1/search", "/v1/ask", "/v1/compare", "/v1/tables"} <= set(paths)
    for route in ("/v1/search", "/v1/ask", "/v1/compare"):
        assert "application/problem+json" in paths[route]["post"]["responses"]["422"]["content"]


def test_openapi_is_whole_so_that_clients_can_be_generated_from_it(client: TestClient) -> None:
    document = client.get("/openapi.json").text
    kinds = json.loads(document)["components"]["schemas"]
    assert set(re.findall(r'"\$ref":"([^"]+)"', document)) == {f"#/components/schemas/{kind}" for kind in kinds}
    assert "HTTPValidationError" not in kinds  # what is wrong with a request is a problem, never that
    forms = [kind["properties"]["file"] for kind in kinds.values() if "file" in kind["properties"]]
    assert [(file["type"], file["format"]) for file in forms] == [("string", "binary")]
