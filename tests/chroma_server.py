"""A real Chroma server, as a process of its own on a free loopback port."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

CHROMA = str(Path(sys.executable).with_name("chroma"))
ATTEMPTS = 6  # httpx waits 0, 0.5, 1, 2, 4 and 8 s between them


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def running_chroma(folder: Path, port: int = 0) -> Iterator[str]:
    """The address of a server that keeps its data in `folder`; `port` is 0 for a free one."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    command = [CHROMA, "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            said: list[bytes] = []
            while b"listening on address" not in b"".join(said[-1:]):
                said.append(process.stdout.readline())
                assert said[-1], b"".join(said).decode()
            threading.Thread(target=process.stdout.read, daemon=True).start()  # so that it never waits for a reader
            with httpx.Client(transport=httpx.HTTPTransport(retries=ATTEMPTS)) as client:  # Chroma says it too early
                client.get(f"{url}/api/v2/heartbeat", timeout=60).raise_for_status()
            yield url
        finally:
            process.kill()
