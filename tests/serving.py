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

GUIDE = str(Path(sys.executable).with_name("guide"))


@contextmanager
def running_guide(home: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address of a server over the knowledge base in `home`; it is ended, and must end well, afterwards."""
    command = [GUIDE, "serve", "--port", "0", "--home", str(home), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8", env=os.environ | environment) as process:
        assert process.stderr is not None
        said = [process.stderr.readline()]
        url = re.search(r"http://\S+:\d+", said[0])
        assert url is not None, said[0]
        listening = threading.Thread(target=lambda: said.extend(process.stderr or []), daemon=True)
        listening.start()  # so that it never waits for a reader
        try:
            yield url[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
            listening.join()
    assert "Traceback" not in "".join(said)
