"""Who is let in: by key, by the name of the server, by the page that asks, by how often."""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from kb.settings import load_settings
from tests.serving import GUIDE
from tests.test_rest import problem

KEY = "a secret with ümlauts"


@contextmanager
def serving(home: Path, address: str = "http://127.0.0.1:8000", **settings: Any) -> Iterator[TestClient]:
    with TestClient(create_app(load_settings(home=home, **settings)), base_url=address) as client:
        yield client


def bearer(key: str) -> dict[bytes, bytes]:
    return {b"Authorization": f"Bearer {key}".encode()}


def basic(key: str) -> dict[bytes, bytes]:
    return {b"Authorization": b"Basic " + base64.b64encode(f"anybody:{key}".encode())}


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://guide.example:8000"])
def test_with_a_key_nothing_but_health_and_the_empty_page_is_to_be_had_without_it(tmp_path: Path, address: str) -> None:
    with serving(tmp_path, address, api_key=KEY) as client:
        for path in ("/health", "/", "/page/app.js"):
            assert client.get(path).status_code == 200
        for path in ("/v1/documents", "/page", "/pages", "/metrics", "/ready", "/docs", "/openapi.json", "/nowhere"):
            assert "GUIDE_API_KEY" in problem(client.get(path), 401)["detail"]
        for headers in (bearer("another"), bearer(""), basic("another"), {b"Authorization": b"Basic !"}):
            response = client.get("/v1/documents", headers=headers)
            assert "Basic" in response.headers["www-authenticate"]
            problem(response, 401)
        for headers in (bearer(KEY), basic(KEY)):
            assert client.get("/v1/documents", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "a.localhost:1", "LOCALHOST"])
def test_without_a_key_names_of_this_machine_are_served(tmp_path: Path, host: str) -> None:
    with serving(tmp_path) as client:
        assert client.get("/v1/documents", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "", "[:::"])
def test_without_a_key_other_names_are_not(tmp_path: Path, host: str) -> None:
    with serving(tmp_path) as client:
        assert "GUIDE_ALLOWED_HOSTS" in problem(client.get("/v1/documents", headers={"Host": host}), 421)["detail"]


def test_names_can_be_allowed(tmp_path: Path) -> None:
    with serving(tmp_path, "http://guide.lan", allowed_hosts="a.lan, guide.lan") as client:
        assert client.get("/v1/documents").status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://["])
def test_pages_of_other_sites_change_nothing(tmp_path: Path, origin: str) -> None:
    with serving(tmp_path) as client:
        sent = client.post("/v1/ingest/file", files={"file": ("a.md", b"# a\n\na")}, headers={"Origin": origin})
        assert "GUIDE_CORS_ORIGINS" in problem(sent, 403)["detail"]
        assert client.get("/v1/documents").json() == {"documents": []}
        own = client.post("/v1/search", json={"question": "?"}, headers={"Origin": "http://127.0.0.1:8000"})
        assert own.status_code == 503  # let in, and nothing is there yet


def test_other_sites_are_off_unless_they_are_allowed(tmp_path: Path) -> None:
    asking = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    with serving(tmp_path) as client:
        assert "access-control-allow-origin" not in client.options("/v1/ask", headers=asking).headers
    with serving(tmp_path, cors_origins="https://a.example", api_key=KEY) as client:
        allowed = client.options("/v1/ask", headers=asking)
        assert allowed.headers["access-control-allow-origin"] == "https://a.example"
        refused = client.options("/v1/ask", headers=asking | {"Origin": "https://b.example"})
        assert "access-control-allow-origin" not in refused.headers


def test_a_client_that_asks_too_often_waits(tmp_path: Path) -> None:
    with serving(tmp_path, rate_limit="3/minute") as client:
        assert [client.get("/v1/documents").status_code for _ in range(3)] == [200, 200, 200]
        response = client.get("/v1/documents")
        assert "3 per 1 minute" in problem(response, 429)["detail"]
        assert 0 < int(response.headers["retry-after"]) <= 60
        assert client.get("/health").status_code == 200


def test_an_address_that_others_reach_needs_a_key(tmp_path: Path) -> None:
    command = [GUIDE, "serve", "--host", "0.0.0.0", "--port", "0", "--home", str(tmp_path)]  # noqa: S104
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", env=os.environ)
    assert done.returncode == 1
    assert "GUIDE_API_KEY" in done.stderr
    assert done.stderr.count("\n") == 1
