"""Uploads that hypothesis makes up to do harm: none crashes the server, leaves the data folder or harms what is stored.

    pytest --hypothesis-profile=long tests/test_hostile_uploads.py

makes up some thousands of each kind.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import create_app
from kb.settings import load_settings
from tests.hostile import FILES, contents, form, names, text_bodies
from tests.test_rest import JSON, LOOPBACK

EXAMPLES = 3000 if settings.get_current_profile_name() == "long" else 40
FORM = {"Content-Type": "multipart/form-data; boundary=cut"}
STORED = {
    "秋千.md": "# 秋千\n\n荡秋千要在最低处蹲下，在最高处站起。\n",
    "表.md": "| 名 | 值 |\n|---|---|\n| 甲 | 1 |\n",
}
OF_THE_STORE = {"guide.sqlite3", "guide.sqlite3-shm", "guide.sqlite3-wal", "writer.lock", "chroma", "lexical"}

fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class World:
    """A server whose data folder lies in the middle of `folder`, which is all that it could reach by a wrong path."""

    folder: Path
    client: TestClient

    @property
    def home(self) -> Path:
        return self.folder / "a" / "home"

    def outside(self) -> dict[str, str]:
        """Everything beside the data folder, with what is in it; and what the data folder itself holds, by name."""
        found = {str(path): _digest(path) for path in self.folder.rglob("*") if self.home not in path.parents}
        return found | {path.name: "" for path in self.home.iterdir() if path.name not in OF_THE_STORE}

    def stored(self) -> dict[str, str]:
        listed = self.client.get("/v1/documents").json()["documents"]
        return {row["name"]: self.client.get(f"/v1/documents/{row['id']}").json()["text"] for row in listed}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    (folder / "a" / "home").mkdir(parents=True)
    (folder / "tmp").mkdir()
    (folder / "a" / "beside.md").write_text("# 不许动\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tempfile.tempdir", str(folder / "tmp"))
        patched.setenv("TMPDIR", str(folder / "tmp"))
        patched.chdir(folder / "a")
        app = create_app(load_settings(home=folder / "a" / "home", max_document_mb=0.2))
        with TestClient(app, base_url=LOOPBACK, raise_server_exceptions=False) as client:
            for name, text in STORED.items():
                client.post("/v1/ingest/text", json={"file_name": name, "text": text}).raise_for_status()
            yield World(folder, client)


@pytest.fixture(scope="module")
def harmless(world: World) -> Iterator[Callable[[Any], None]]:
    """Checks a reply and takes back out what was taken in; at the end, that all is as it was."""
    before = world.outside()

    def check(reply: Any) -> None:
        assert reply.status_code < 500, reply.text
        if reply.status_code == 200:
            assert reply.json()["data"][0]["doc_metadata"]["file_name"] not in STORED
            taken_out = world.client.delete(f"/v1/ingest/{reply.json()['data'][0]['doc_id']}")
            assert taken_out.status_code == 200, taken_out.text
        assert world.outside() == before

    assert world.stored() == STORED
    yield check
    assert world.outside() == before
    assert world.stored() == STORED
    found = world.client.post("/v1/search", json={"question": "怎样荡秋千？"}).json()["passages"]
    assert found[0]["source"] == "秋千.md"


@pytest.mark.parametrize("name", FILES)
def test_known_attacks_do_no_harm(world: World, harmless: Callable[[Any], None], name: str) -> None:
    harmless(world.client.post("/v1/ingest/file", files={"file": (name, FILES[name])}))


@fuzz
@given(data=st.data(), content=contents(), extended=st.booleans())
def test_forms_do_no_harm(
    world: World, harmless: Callable[[Any], None], data: st.DataObject, content: bytes, *, extended: bool
) -> None:
    name = data.draw(names(str(world.home), str(world.folder), "/etc"))
    body = form(name, content, extended=extended)
    harmless(world.client.post("/v1/ingest/file", content=body, headers=FORM))


@fuzz
@given(data=st.data())
def test_json_does_no_harm(world: World, harmless: Callable[[Any], None], data: st.DataObject) -> None:
    body = data.draw(text_bodies(str(world.home), str(world.folder), "/etc"))
    harmless(world.client.post("/v1/ingest/text", content=body, headers=JSON))


@fuzz
@given(data=st.data())
def test_names_in_addresses_do_no_harm(world: World, data: st.DataObject) -> None:
    outside = world.outside()
    name = quote(data.draw(names(str(world.home), str(world.folder), "/etc"))[:8000], safe="", errors="surrogatepass")
    for method, path in (("GET", f"/v1/documents/{name}"), ("DELETE", f"/v1/ingest/{name}"), ("GET", f"/page/{name}")):
        reply = world.client.request(method, path)
        assert reply.status_code < 500, reply.text
        assert "root:" not in reply.text
    assert world.outside() == outside


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
