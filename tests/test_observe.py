"""What a server tells of itself: ids, figures and logs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from kb.settings import Settings
from tests.serving import started_guide
from tests.test_rest import LOOPBACK

QUESTION = "QLoRA 的适用场景是什么？"


@pytest.fixture(scope="module")
def client(guide_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(guide_settings), base_url=LOOPBACK) as client:
        yield client


def figure(client: TestClient, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_every_reply_has_an_id(client: TestClient) -> None:
    given = client.get("/health", headers={"X-Request-ID": "my-1.id"})
    assert given.headers["x-request-id"] == "my-1.id"
    replies = [client.get(path) for path in ("/health", "/health", "/nowhere")]
    assert len({reply.headers["x-request-id"] for reply in replies}) == 3
    forged = client.get("/health", headers={"X-Request-ID": "a b"})
    assert re.fullmatch("[0-9a-f]{32}", forged.headers["x-request-id"])


def test_requests_and_stages_are_counted_by_route(client: TestClient) -> None:
    name = 'guide_requests_total{method="POST",route="/v1/search",status="200"}'
    before = figure(client, name)
    assert client.post("/v1/search", json={"question": QUESTION}).status_code == 200
    assert figure(client, name) == before + 1
    assert figure(client, 'guide_request_seconds_count{method="POST",route="/v1/search"}') >= 1
    assert figure(client, 'guide_stage_seconds_count{stage="embed"}') >= 1
    client.get("/wherever/somebody/looks")
    assert "somebody" not in client.get("/metrics").text
    client.request("MINE", "/v1/search")
    assert "MINE" not in client.get("/metrics").text
    assert figure(client, 'guide_requests_total{method="other",route="/v1/search",status="405"}') == 1


def test_what_there_is_and_what_waits_is_told(client: TestClient) -> None:
    documents = client.get("/v1/documents").json()["documents"]
    assert figure(client, "guide_documents") == len(documents)
    assert figure(client, "guide_passages") == sum(row["passages"] for row in documents)
    assert figure(client, "guide_ingest_queue") == 0
    assert figure(client, "guide_answers") == 0


def test_logs_are_lines_of_json_without_what_was_asked(guide_settings: Settings) -> None:
    with started_guide(guide_settings.home, GUIDE_LOG_FORMAT="json") as server:
        with httpx2.Client(base_url=server.url, timeout=60) as client:
            client.post("/v1/search", json={"question": QUESTION}, headers={"X-Request-ID": "mine"})
        _, *said = server.end().splitlines()
    lines = list(map(json.loads, said))
    asked = next(line for line in lines if line["event"] == "request")
    assert (asked["method"], asked["path"], asked["status"], asked["request_id"]) == ("POST", "/v1/search", 200, "mine")
    assert not any("QLoRA" in line for line in said)
    assert not any("color_message" in line for line in lines)


def test_figures_are_to_be_had_before_there_is_anything(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "file")
    (tmp_path / "file").write_text("no folder")
    with TestClient(create_app(settings), base_url=LOOPBACK) as client:
        assert "guide_documents NaN" in client.get("/metrics").text
