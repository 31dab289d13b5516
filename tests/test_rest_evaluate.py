"""Evaluations over REST."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from kb.settings import Settings
from tests.test_rest import LOOPBACK, problem

QUESTIONS: list[dict[str, Any]] = [
    {
        "question": "QLoRA 的适用场景是什么？",
        "id": "q",
        "kind": "table",
        "gold": ["4bit量化节省内存"],
        "must": [["4bit"]],
    },
    {"question": "今天天气怎么样？", "kind": "none"},
]


@pytest.fixture(scope="module")
def client(guide_settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(guide_settings), base_url=LOOPBACK) as client:
        yield client


def report(client: TestClient, **body: Any) -> Any:
    begun = client.post("/v1/evaluate", json={"questions": QUESTIONS, **body})
    assert begun.status_code == 202
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    services.evaluations.job(begun.json()["track_id"]).finished.result(120)
    done = client.get(begun.headers["location"]).json()
    assert (done["status"], done["progress"], done["ahead"]) == ("done", 1.0, 0)
    return done["report"]


def test_an_evaluation_reports_when_it_is_done(client: TestClient) -> None:
    scores = report(client)
    assert scores["search"]["hit@5"] == 1.0
    assert scores["ask"]["abstention"] == 1.0
    assert set(scores["kinds"]) == {"table", "none"}
    assert scores["provenance"]["versions"]
    assert "ask" not in report(client, answers=False)


def test_what_can_not_be_evaluated_is_a_problem(client: TestClient, tmp_path: Any) -> None:
    problem(client.post("/v1/evaluate", json={"questions": []}), 422)
    problem(client.post("/v1/evaluate", json={"questions": [{"question": "?", "must": [[]]}]}), 422)
    problem(client.get("/v1/evaluate/none"), 404)
    with TestClient(create_app(Settings(home=tmp_path)), base_url=LOOPBACK) as empty:
        problem(empty.post("/v1/evaluate", json={"questions": QUESTIONS}), 503)


def test_a_server_that_ends_does_not_wait_for_an_evaluation(guide_settings: Settings) -> None:
    with TestClient(create_app(guide_settings), base_url=LOOPBACK) as client:
        services: Services = client.app.state.services  # type: ignore[attr-defined]
        questions = [QUESTIONS[0] | {"id": str(n)} for n in range(900)]
        job = services.evaluations.job(client.post("/v1/evaluate", json={"questions": questions}).json()["track_id"])
    assert "shutting down" in str(job.finished.exception(0))
