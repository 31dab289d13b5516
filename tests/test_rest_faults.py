"""What a client is told of a request that can't be taken: in its own terms, field by field."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from kb.settings import load_settings
from tests.test_rest import JSON, LOOPBACK, problem

QUESTION = {"role": "user", "content": "什么是 LoRA？"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
FORM = {"content-type": "multipart/form-data; boundary=b"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = load_settings(home=tmp_path_factory.mktemp("home"))
    with TestClient(create_app(settings), base_url=LOOPBACK) as client:
        yield client


@pytest.mark.parametrize("path", ["ask", "chat/completions", "ingest/text", "evaluate"])
def test_what_is_no_json_is_told_where_it_ends_to_be(client: TestClient, path: str) -> None:
    details = problem(client.post(f"/v1/{path}", content=b'{"question": ', headers=JSON), 400)
    assert details["type"] == "about:blank"
    assert details["detail"] == "The body is not JSON: Expecting value at character 13. Send one JSON object in UTF-8."


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b'"question"'])
def test_json_that_is_no_object_is_told_so(client: TestClient, body: bytes) -> None:
    details = problem(client.post("/v1/ask", content=body, headers=JSON), 422)
    assert [error["field"] for error in details["errors"]] == ["body"]
    assert "one JSON object" in details["detail"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("embeddings", {"input": [1, 2]}, {"body.input.0", "body.input.1"}),
        ("embeddings", {"input": 3}, {"body.input"}),
        ("embeddings", {"input": ["a", " "]}, {"body.input.1"}),
        ("completions", {"prompt": ["a", "b"]}, {"body.prompt"}),
        ("chat/completions", {"messages": [QUESTION], "stop": [1]}, {"body.stop.0"}),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": [PICTURE]}]},
            {"body.messages.0.content.0.type", "body.messages.0.content.0.text"},
        ),
    ],
)
def test_of_a_text_or_a_list_the_one_that_was_sent_is_told_of(
    client: TestClient, path: str, body: dict[str, Any], told: set[str]
) -> None:
    assert {error["field"] for error in problem(client.post(f"/v1/{path}", json=body), 422)["errors"]} == told


def test_a_text_of_white_space_is_told_so(client: TestClient) -> None:
    details = problem(client.post("/v1/embeddings", json={"input": " "}), 422)
    assert details["detail"] == "body.input: Input should hold more than white space"


def test_of_many_faults_the_first_are_told_in_the_sentence(client: TestClient) -> None:
    details = problem(client.post("/v1/embeddings", json={"input": list(range(2000))}), 422)
    assert len(details["errors"]) == 2000
    assert details["detail"].endswith("; and 1995 more")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"response_format": {"type": "json_object"}}, "body.response_format.type"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, "body.response_format.type"),
        ({"tool_choice": "required"}, "body.tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "a"}}}, "body.tool_choice"),
        ({"n": 2}, "body.n"),
    ],
)
def test_what_a_client_would_wait_for_in_vain_is_refused(client: TestClient, more: dict[str, Any], field: str) -> None:
    details = problem(client.post("/v1/chat/completions", json={"messages": [QUESTION], **more}), 422)
    assert [error["field"] for error in details["errors"]] == [field]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--b--\r\n', FORM),
        (b'--b\r\nContent-Disposition: form-data; name="other"; filename="a.md"\r\n\r\ntext\r\n--b--\r\n', FORM),
        (b'{"file": "a.md"}', JSON),
        (b"text", {}),
    ],
    ids=["no file name", "another field", "JSON", "the bare file"],
)
def test_an_upload_that_is_none_is_told_how_one_looks(client: TestClient, body: bytes, headers: dict[str, str]) -> None:
    details = problem(client.post("/v1/ingest/file", content=body, headers=headers), 422)
    assert "field `file`, as `curl -F file=@…` does" in details["detail"]


def test_a_file_that_the_page_does_not_have_goes_by_its_whole_path(client: TestClient) -> None:
    details = problem(client.get("/page/none.js"), 404)
    assert details["instance"] == "/page/none.js"
    assert details["detail"].startswith("There is no /page/none.js here")
    below = problem(client.get("/page/none.js", headers={"X-Forwarded-Prefix": "/guide"}), 404)
    assert below["instance"] == "/page/none.js"
