"""Documents over REST: sent, followed, listed, read, deleted; in the shapes of private-gpt's API."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.services import Services
from kb.settings import Settings, load_settings
from tests.test_formats import pdf
from tests.test_rest import JSON, LOOPBACK, problem

TEXT = "# 秋千\n\n荡秋千的诀窍是在最低处站起来。\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(home=tmp_path_factory.mktemp("home"), max_document_mb=0.05)


@pytest.fixture(scope="module")
def module_client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url=LOOPBACK) as client:
        yield client


@pytest.fixture
def client(module_client: TestClient) -> Iterator[TestClient]:
    """A client of an empty knowledge base; the process that reads documents is started once for all tests."""
    yield module_client
    for document in module_client.get("/v1/ingest/list").json()["data"]:
        module_client.delete(f"/v1/ingest/{document['doc_id']}")


def services_of(client: TestClient) -> Services:
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    return services


SWING = "荡秋千的时候，在最低处蹲下，在最高处站起，秋千就会越荡越高。"


def upload(client: TestClient, name: str, data: bytes, **params: Any) -> Any:
    return client.post("/v1/ingest/file", files={"file": (name, data)}, params=params)


def test_what_a_pdf_says_has_its_page(client: TestClient) -> None:
    pages = [["封面"], ["荡秋千", SWING]]
    doc_id = upload(client, "手册.pdf", pdf(pages)).json()["data"][0]["doc_id"]
    assert client.get(f"/v1/documents/{doc_id}").json()["page_starts"] == [1, 3]
    question = {"question": "荡秋千的时候，在哪里蹲下？"}
    answer = client.post("/v1/ask", json=question).json()
    assert [(citation["quote"], citation["pages"]) for citation in answer["citations"]] == [(SWING, [2, 2])]
    (passage, *_) = client.post("/v1/search", json=question).json()["passages"]
    (chunk, *_) = client.post("/v1/chunks", json={"text": "荡秋千"}).json()["data"]
    metadata = {"file_name": "手册.pdf", "page_label": str(passage["pages"][0])}
    assert (chunk["pages"], chunk["document"]["doc_metadata"]) == (passage["pages"], metadata)


def test_a_file_is_taken_in_found_listed_and_deleted(client: TestClient) -> None:
    reply = upload(client, "秋千.md", TEXT.encode("gb18030")).json()
    assert reply.pop("track_id")
    doc_id = reply["data"][0]["doc_id"]
    assert reply == {
        "object": "list",
        "model": "private-gpt",
        "data": [
            {
                "object": "ingest.document",
                "doc_id": doc_id,
                "doc_metadata": {
                    "file_name": "秋千.md",
                    "status": "added",
                    "passages": 1,
                    "damage": [],
                    "repairs": 0,
                },
            }
        ],
    }
    found = client.post("/v1/search", json={"question": "怎样荡秋千？"}).json()["passages"]
    assert "最低处" in found[0]["text"]
    listed = client.get("/v1/ingest/list").json()
    assert [document["doc_id"] for document in listed["data"]] == [doc_id]
    assert listed["data"][0]["doc_metadata"]["encoding"] == "gb18030"
    assert client.delete(f"/v1/ingest/{doc_id}").status_code == 200
    assert client.get("/v1/ingest/list").json()["data"] == []
    assert "/v1/documents have the ids" in problem(client.delete(f"/v1/ingest/{doc_id}"), 404)["detail"]


def test_a_damaged_text_is_read_restored_with_its_repairs(client: TestClient) -> None:
    text = "# 低秩适配\n\n" + "低秩适配只训练两个小矩阵，原来的权重保持不变，因此需要的显存少得多。" * 8 + "\n"
    damaged = text.encode().decode("gbk", errors="replace").encode()
    doc_id = upload(client, "damaged.md", damaged).json()["data"][0]["doc_id"]
    document = client.get(f"/v1/documents/{doc_id}").json()
    assert client.get("/v1/documents/damaged.md").json() == document
    received = client.get(f"/v1/documents/{doc_id}/received").json()
    assert received["text"] != document["text"]
    assert received["text"].count("\n") == document["text"].count("\n")
    assert document["damage"]
    assert "训练两个小矩阵" in document["text"]
    assert document["repairs"]
    for repair in document["repairs"]:
        assert document["text"][repair["start"] : repair["end"]] == repair["after"]
        assert 0 <= repair["confidence"] <= 1
    listed = client.get("/v1/documents").json()["documents"]
    assert [(row["name"], row["repairs"]) for row in listed] == [("damaged.md", len(document["repairs"]))]


def test_a_text_replaces_the_one_of_its_name(client: TestClient) -> None:
    first = client.post("/v1/ingest/text", json={"file_name": "notes/a.md", "text": TEXT}).json()["data"][0]
    second = client.post("/v1/ingest/text", json={"file_name": "notes/a.md", "text": "# 新的\n\n新文。"}).json()[
        "data"
    ][0]
    assert first["doc_id"] == second["doc_id"]
    assert second["doc_metadata"]["status"] == "changed"
    assert client.get("/v1/documents/notes/a.md").json()["text"] == "# 新的\n\n新文。"


def test_a_duplicate_is_a_conflict_that_names_the_document(client: TestClient) -> None:
    doc_id = upload(client, "a.md", TEXT.encode()).json()["data"][0]["doc_id"]
    for name in ("a.md", "copy.md"):
        details = problem(upload(client, name, TEXT.encode()), 409)
        assert details["type"] == "urn:guide:problem:duplicate"
        assert details["doc_id"] == doc_id
        assert "a.md" in details["detail"]
    assert len(client.get("/v1/ingest/list").json()["data"]) == 1


@pytest.mark.parametrize("header", [None, "respond-async"])
def test_a_reply_at_once_can_be_followed(client: TestClient, header: str | None) -> None:
    headers = {"Prefer": header} if header else {}
    response = client.post(
        "/v1/ingest/file",
        files={"file": ("a.md", TEXT.encode())},
        params={} if header else {"wait": "false"},
        headers=headers,
    )
    assert response.status_code == 202
    status = response.json()
    assert status["status"] in {"queued", "running"}
    assert response.headers["location"] == f"/v1/ingest/status/{status['track_id']}"
    services_of(client).intake.jobs.job(status["track_id"]).finished.result(60)
    done = client.get(response.headers["location"]).json()
    assert (done["status"], done["progress"], done["ahead"]) == ("done", 1.0, 0)
    assert done["data"][0]["doc_metadata"]["file_name"] == "a.md"
    failed = upload(client, "a.md", TEXT.encode(), wait=False)
    job = services_of(client).intake.jobs.job(failed.json()["track_id"])
    assert job.finished.exception(60)
    status = client.get(f"/v1/ingest/status/{job.id}").json()
    assert (status["status"], status["problem"]["status"]) == ("failed", 409)
    assert "forgotten" in problem(client.get("/v1/ingest/status/none"), 404)["detail"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04" + b"\x00" * 100, "ZIP"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"", "empty"),
        (bytes(range(256)) * 4, "not text"),
        ("指南".encode()[:-1] * 3, "UTF-8"),
    ],
    ids=["zip", "pdf", "empty", "binary", "cut off"],
)
def test_what_is_no_text_is_refused_with_a_reason(client: TestClient, data: bytes, reason: str) -> None:
    assert reason in problem(upload(client, "file.md", data), 422)["detail"]
    assert client.get("/v1/ingest/list").json()["data"] == []


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("../../etc/passwd.md", "passwd.md"),
        ("C:\\Users\\me\\笔记.md", "笔记.md"),
        ("/absolute.md", "absolute.md"),
        ("<img src=x onerror=alert(1)>.md", "<img src=x onerror=alert(1)>.md"),
    ],
)
def test_the_name_of_an_upload_is_never_a_path(client: TestClient, settings: Settings, sent: str, name: str) -> None:
    before = sorted(settings.home.rglob("*.md"))
    assert upload(client, sent, TEXT.encode()).json()["data"][0]["doc_metadata"]["file_name"] == name
    assert sorted(settings.home.rglob("*.md")) == before


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b'filename="' + "低秩.md".encode("gbk") + b'"', "低秩.md"),
        (b"filename==?utf-8?B?5L2O56epLm1k?=; filename*=utf-8''%E4%BD%8E%E7%A7%A9.md", "低秩.md"),
        (b'filename="%E4%BD%8E%E7%A7%A9%20%281%29.md"', "低秩 (1).md"),
        (b'filename="..%2F%E4%BD%8E%E7%A7%A9.md"', "低秩.md"),
        (b'filename="100%25.md"', "100%25.md"),
        (b'filename="%FF%FE.md"', "%FF%FE.md"),
    ],
    ids=["GBK", ".NET", "aiohttp", "a path", "ASCII", "no UTF-8"],
)
def test_a_name_is_read_however_a_client_writes_it(client: TestClient, sent: bytes, name: str) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; ' + sent + b"\r\n\r\n"
    body = head + TEXT.encode() + b"\r\n--b--\r\n"
    response = client.post("/v1/ingest/file", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert response.json()["data"][0]["doc_metadata"]["file_name"] == name


def test_several_files_in_one_form_are_refused(client: TestClient) -> None:
    files = [("file", (f"{n}.md", f"# 第 {n} 篇".encode())) for n in range(2)]
    assert "2 files came in one form" in problem(client.post("/v1/ingest/file", files=files), 422)["detail"]
    assert client.get("/v1/documents").json() == {"documents": []}


@pytest.mark.parametrize("name", ["../a.md", "/a.md", "a\\b.md", "a\nb.md", "..", " ", "x" * 300 + ".md"])
def test_a_text_whose_name_leads_elsewhere_is_refused(client: TestClient, name: str) -> None:
    assert "name" in problem(client.post("/v1/ingest/text", json={"file_name": name, "text": TEXT}), 422)["detail"]


def test_documents_and_bodies_that_are_too_large_are_refused(client: TestClient) -> None:
    assert "GUIDE_MAX_DOCUMENT_MB" in problem(upload(client, "a.md", b"a" * 60_000), 413)["detail"]
    problem(upload(client, "a.md", b"a" * 600_000), 413)
    problem(client.post("/v1/search", json={"question": "a" * 5_000_000}), 413)
    problem(client.post("/v1/search", content=(b"a" * 1_000_000 for _ in range(5)), headers=JSON), 413)


def test_a_form_that_cannot_be_read_is_told_how_it_looks(client: TestClient) -> None:
    reply = client.post("/v1/ingest/file", content=b"--cut", headers={"Content-Type": "multipart/form-data"})
    assert "-F file=@" in problem(reply, 400)["detail"]


def test_a_full_queue_asks_to_come_again(client: TestClient) -> None:
    held = threading.Event()
    jobs = services_of(client).intake.jobs
    blocking = jobs.submit("held", lambda _: held.wait())  # type: ignore[arg-type, return-value]
    try:
        sent = [upload(client, f"{n}.md", f"# {n}\n\n第 {n} 篇。".encode(), wait=False) for n in range(34)]
        assert {response.status_code for response in sent} == {202, 429}
        refused = [response for response in sent if response.status_code == 429]
        assert int(refused[0].headers["retry-after"]) > 0
        assert client.post("/v1/ingest/text", json={"file_name": "b.md", "text": TEXT}).status_code == 429
    finally:
        held.set()
        blocking.finished.result(60)
    for response in sent:
        if response.status_code == 202:
            jobs.job(response.json()["track_id"]).finished.result(60)
    names = {row["name"] for row in client.get("/v1/documents").json()["documents"]}
    assert names == {f"{n}.md" for n, response in enumerate(sent) if response.status_code == 202}


def test_documents_sent_together_are_all_there(client: TestClient) -> None:
    with ThreadPoolExecutor(4) as pool:
        texts = {f"{n}.md": f"# 第 {n} 篇\n\n这是第 {n} 篇的内容。" for n in range(8)}
        replies = list(pool.map(lambda one: upload(client, one[0], one[1].encode()), texts.items()))
    assert {reply.status_code for reply in replies} == {200}
    assert {row["name"] for row in client.get("/v1/documents").json()["documents"]} == set(texts)


def test_what_was_accepted_is_there_after_the_server_ends(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    with TestClient(create_app(settings), base_url=LOOPBACK) as client:
        for n in range(3):
            assert upload(client, f"{n}.md", f"# 第 {n} 篇\n\n第 {n} 篇。".encode(), wait=False).status_code == 202
    with Services(settings) as services:
        assert [info.name for info in services.store.documents()] == ["0.md", "1.md", "2.md"]


def test_the_documentation_names_the_routes(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {path for path in paths if re.match("/v1/(ingest|documents)", path)} == {
        "/v1/ingest/file",
        "/v1/ingest/text",
        "/v1/ingest/list",
        "/v1/ingest/status/{track_id}",
        "/v1/ingest/{doc_id}",
        "/v1/documents",
        "/v1/documents/{document_id}",
        "/v1/documents/{document_id}/received",
    }
