"""`guide serve` as a process of its own."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from kb.settings import Settings

GUIDE = str(Path(sys.executable).with_name("guide"))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_on_a_free_loopback_port_until_it_is_ended(guide_settings: Settings, end: signal.Signals) -> None:
    command = [GUIDE, "serve", "--port", "0", "--home", str(guide_settings.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert url is not None, said
            with httpx2.Client(base_url=url[0], timeout=60) as client:
                assert client.get("/health").json() == {"status": "ok"}
                if end is signal.SIGINT:
                    reply = client.post("/v1/search", json={"question": "什么是 LoRA？", "top_k": 1})
                    assert reply.status_code == 200
                    assert len(reply.json()["passages"]) == 1
        finally:
            process.send_signal(end)
            rest = process.communicate(timeout=60)[1]
    assert "Traceback" not in rest
    assert "Application shutdown complete" in rest


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([GUIDE, "serve", "--port", str(port)], check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"GUIDE_PORT = {port}" in done.stderr


def test_an_address_of_another_machine_is_named() -> None:
    done = subprocess.run([GUIDE, "serve", "--host", "192.0.2.1"], check=False, capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert "GUIDE_HOST = 192.0.2.1" in done.stderr
