"""`guide serve` as a process of its own."""

import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import httpx2
import pytest

from kb.settings import Settings
from tests.serving import GUIDE, Server, started_guide


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_on_a_free_loopback_port_until_it_is_ended(guide_settings: Settings, end: signal.Signals) -> None:
    with started_guide(guide_settings.home) as server:
        assert server.url.startswith("http://127.0.0.1:")
        with httpx2.Client(base_url=server.url, timeout=60) as client:
            assert client.get("/health").json() == {"status": "ok"}
            if end is signal.SIGINT:
                reply = client.post("/v1/search", json={"question": "什么是 LoRA？", "top_k": 1})
                assert reply.status_code == 200
                assert len(reply.json()["passages"]) == 1
        said = server.end(end)
    assert "Traceback" not in said
    assert "Application shutdown complete" in said


def refused(*options: str) -> str:
    """What a server says that does not even begin."""
    command = [GUIDE, "serve", *options]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"GUIDE_PORT = {port}" in refused("--port", str(port))


def test_an_address_of_another_machine_is_named() -> None:
    assert "GUIDE_HOST = 192.0.2.1" in refused("--host", "192.0.2.1")


def test_a_client_that_stands_still_does_not_keep_it_from_ending(guide_settings: Settings) -> None:
    program = "import api.commands.serve as s; s.ENDING_SECONDS = 0.1; from api.cli import run; run({arguments!r})"
    arguments = ["serve", "--port", "0", "--home", str(guide_settings.home)]
    command = [sys.executable, "-c", program.format(arguments=arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        server = Server(process)
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port)) as client:
            client.sendall(b"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n")
            client.sendall(b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 100"  # so the request is being read
            assert "Application shutdown complete" in server.end()
