"""`transformers serve` on a free port of this machine, as any OpenAI-compatible server would run."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_transformers_serve(log: Path, *options: str) -> Iterator[str]:
    """Its address, once it is healthy.

    Without a cache of the hub it fails to list its models, and then closes a connection that the client goes on using.
    """
    port = free_port()
    cache = log.with_name("hub")
    cache.mkdir()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    environment["HF_HUB_CACHE"] = str(cache)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), *options],
            stdout=output,
            stderr=output,
            env=environment,
        )
        try:
            for attempt in Retrying(
                stop=stop_after_delay(120), wait=wait_fixed(0.2), retry=retry_if_exception_type(httpx.TransportError)
            ):
                with attempt:
                    httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()
            server.wait()
