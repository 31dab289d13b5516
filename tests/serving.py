"""A real `guide serve`, as a process of its own on a free loopback port."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

GUIDE = str(Path(sys.executable).with_name("guide"))
SECONDS_TO_END = 60


class Server:
    """A server that has said where it listens, at `url`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        self.process = process
        self._said = [process.stderr.readline()]
        found = re.search(r"http://\S+:\d+", self._said[0])
        assert found is not None, self._said[0]
        self.url = found[0]
        self._listening = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        self._listening.start()  # so that it never waits for a reader

    def end(self, by: signal.Signals = signal.SIGTERM) -> str:
        """Everything that it said on stderr, up to its end by this signal."""
        self.process.send_signal(by)
        self.process.wait(SECONDS_TO_END)
        self._listening.join(SECONDS_TO_END)
        return "".join(self._said)

    def _listen(self, stderr: IO[str]) -> None:
        with stderr:
            self._said.extend(stderr)


@contextmanager
def started_guide(home: Path, *options: str, **environment: str) -> Iterator[Server]:
    """A server over the knowledge base in `home`; it is killed afterwards if it has not ended."""
    command = [GUIDE, "serve", "--port", "0", "--home", str(home), *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8", env=os.environ | environment)
    try:
        yield Server(process)
    finally:
        process.kill()
        process.wait(SECONDS_TO_END)


@contextmanager
def running_guide(home: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address of a server over the knowledge base in `home`; it is ended, and must end well, afterwards."""
    with started_guide(home, *options, **environment) as server:
        yield server.url
        assert "Traceback" not in server.end()
