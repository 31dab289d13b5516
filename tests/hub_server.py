"""A hub of this machine: repositories out of folders, and the refusals that the real one knows."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

REFUSALS = {
    "o/gated": (403, "GatedRepo"),
    "o/absent": (404, "RepoNotFound"),
    "o/private": (401, ""),
    "o/failing": (500, ""),
    "o/unpinned": (404, "RevisionNotFound"),
}
DROPPING = "o/dropping"  # its connections are cut


class FakeHub(ThreadingHTTPServer):
    """Serves `folders`, by id and then by revision; `asked` has the paths of all requests."""

    daemon_threads = True

    def __init__(self, folders: dict[str, dict[str, Path]]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.folders = folders
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running_hub(folders: dict[str, dict[str, Path]]) -> Iterator[FakeHub]:
    with FakeHub(folders) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.asked.append(path)
        owner, name, kind, revision, *file = path.removeprefix("api/models/").split("/")
        identity = f"{owner}/{name}"
        if identity == DROPPING:
            self.close_connection = True
        elif identity in REFUSALS:
            status, code = REFUSALS[identity]
            self._send(status, b"", {"X-Error-Code": code})
        else:
            self._serve(self.server.folders[identity], kind, revision, "/".join(file))

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def _serve(self, revisions: dict[str, Path], kind: str, revision: str, name: str) -> None:
        commits = {commit_of(revision): folder for revision, folder in revisions.items()}
        folder = revisions.get(revision) or commits.get(revision)
        if folder is None:
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif kind == "revision":
            commit = commit_of(revision) if revision in revisions else revision
            self._send(200, json.dumps({"id": "any", "sha": commit, "siblings": []}).encode(), {})
        elif kind == "tree":
            files = [
                {"type": "file", "path": file.name, "oid": _digest(file), "size": file.stat().st_size}
                for file in sorted(folder.iterdir())
            ]
            self._send(200, json.dumps(files).encode(), {})
        else:
            file = folder / name
            self._send(200, file.read_bytes(), {"ETag": f'"{_digest(file)}"', "X-Repo-Commit": revision})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def commit_of(revision: str) -> str:
    """The commit that a branch or tag stands for."""
    return hashlib.sha1(revision.encode(), usedforsecurity=False).hexdigest()


def _digest(file: Path) -> str:
    return hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
