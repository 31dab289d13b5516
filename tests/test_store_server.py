"""The vector index on a Chroma server: down, foreign, emptied, or shared by several knowledge bases."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest

from kb.errors import ConfigError, StoreError
from kb.settings import Settings, load_settings
from kb.store import Store
from tests.chroma_server import free_port, running_chroma
from tests.knowledge import EMBEDDING, OpenStore, document, editions, numbered, put, vector, vectors
from tests.store_processes import unswept


def collections(url: str) -> list[Any]:
    client: Any = chromadb.HttpClient(url)
    try:
        return list(client.list_collections())
    finally:
        client.close()


@pytest.fixture
def other_server() -> Iterator[str]:
    """The address of a server that answers everything in its own way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'["not chroma"]')

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_vectors_go_to_the_server_and_nowhere_else(tmp_path: Path, chroma_server: str) -> None:
    with closing(Store.open(Settings(home=tmp_path, chroma_url=f"{chroma_server}/"))) as store:
        put(store, "a.md", numbered("a", 1))
        assert editions(store) == {"a.md": {"1"}}
        passages = store.passages()
        (made,) = (each for each in collections(chroma_server) if store._state().base in each.name)
    assert not (tmp_path / "chroma").exists()
    assert made.name.startswith("guide-")
    assert made.configuration_json["hnsw"]["space"] == "cosine"
    assert made.count() == len(passages)


def test_knowledge_bases_on_one_server_do_not_meet(tmp_path: Path, chroma_server: str, open_store: OpenStore) -> None:
    one, other = (open_store(tmp_path / name, chroma_server) for name in ("one", "other"))
    put(one, "a.md", numbered("a", 1))
    put(other, "a.md", numbered("a", 2))
    one.reindex(lambda texts: np.array([vector(text) for text in texts]), "again")
    assert editions(other) == {"a.md": {"2"}}
    assert len(one.nearest(vector("甲"), 100)) == len(other.nearest(vector("甲"), 100)) == 20


def test_a_copy_of_a_knowledge_base_is_another_one(tmp_path: Path, chroma_server: str, open_store: OpenStore) -> None:
    store = open_store(tmp_path / "one", chroma_server)
    put(store, "a.md", numbered("a", 1))
    store.close()
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    copy = open_store(tmp_path / "copy", chroma_server)
    assert editions(copy) == {"a.md": {"1"}}
    put(copy, "a.md", numbered("a", 2))
    copy.delete(document("a.md", "").id)
    assert editions(open_store(tmp_path / "one", chroma_server)) == {"a.md": {"1"}}


def test_a_server_that_is_down_is_named_with_its_setting(
    tmp_path: Path, open_store: OpenStore, refusing_port: int
) -> None:
    url = f"http://reader:secret@127.0.0.1:{refusing_port}"
    store = open_store(tmp_path, url)
    passages = put(open_store(tmp_path), "a.md", numbered("a", 1))
    for attempt in (
        lambda: store.nearest(vector("甲"), 3),
        lambda: store.replace(document("b.md", "乙"), passages, vectors(passages), "1", EMBEDDING),
    ):
        with pytest.raises(StoreError, match=r"http://127\.0\.0\.1:\d+ .*GUIDE_CHROMA_URL") as caught:
            attempt()
        assert "secret" not in str(caught.value)
    assert [info.name for info in store.documents()] == ["a.md"]
    assert store.passages() == passages
    assert [info.name for info in open_store(tmp_path, url).documents()] == ["a.md"]


def test_a_server_that_does_not_answer_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    monkeypatch.setattr("kb.store_chroma.PATIENCE_SECONDS", 0.2)
    put(open_store(tmp_path), "a.md", numbered("a", 1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StoreError, match="GUIDE_CHROMA_URL"):
            open_store(tmp_path, url).nearest(vector("甲"), 3)


def test_a_server_that_is_no_chroma_is_named(tmp_path: Path, other_server: str, open_store: OpenStore) -> None:
    put(open_store(tmp_path), "a.md", numbered("a", 1))
    with pytest.raises(StoreError, match=r"no Chroma server .*GUIDE_CHROMA_URL"):
        open_store(tmp_path, other_server).nearest(vector("甲"), 3)


def test_a_server_that_goes_and_comes_back_loses_nothing(tmp_path: Path, open_store: OpenStore) -> None:
    port = free_port()
    with running_chroma(tmp_path / "data", port) as url:
        store = open_store(tmp_path / "home", url)
        put(store, "a.md", numbered("a", 1))
        assert editions(store) == {"a.md": {"1"}}
    with pytest.raises(StoreError, match="GUIDE_CHROMA_URL"):
        put(store, "a.md", numbered("a", 2))
    with pytest.raises(StoreError, match="GUIDE_CHROMA_URL"):
        store.nearest(vector("甲"), 1)
    with running_chroma(tmp_path / "data", port):
        assert editions(store) == {"a.md": {"1"}}
        put(store, "a.md", numbered("a", 2))
        assert editions(store) == {"a.md": {"2"}}
        assert not unswept(tmp_path / "home")


def test_a_server_that_was_emptied_or_set_back_is_filled_again(tmp_path: Path, open_store: OpenStore) -> None:
    port = free_port()
    with running_chroma(tmp_path / "data", port) as url:
        store = open_store(tmp_path / "home", url)
        put(store, "a.md", numbered("a", 1))
    shutil.copytree(tmp_path / "data", tmp_path / "before")
    with running_chroma(tmp_path / "data", port):
        put(store, "b.md", numbered("b", 1))
    with running_chroma(tmp_path / "before", port):
        assert editions(open_store(tmp_path / "home", url)) == {"a.md": {"1"}, "b.md": {"1"}}
    with running_chroma(tmp_path / "empty", port):
        put(store, "c.md", numbered("c", 1))
        assert editions(store) == {"a.md": {"1"}, "b.md": {"1"}, "c.md": {"1"}}


def test_a_collection_that_measures_otherwise_is_made_anew(
    tmp_path: Path, chroma_server: str, open_store: OpenStore
) -> None:
    store = open_store(tmp_path, chroma_server)
    put(store, "a.md", numbered("a", 1))
    client: Any = chromadb.HttpClient(chroma_server)
    (made,) = (each for each in client.list_collections() if store._state().base in each.name)
    client.delete_collection(made.name)
    foreign = client.create_collection(made.name, embedding_function=None, configuration={"hnsw": {"space": "l2"}})
    foreign.add(ids=[str(number) for number in range(30)], embeddings=np.ones((30, 2), np.float32))
    client.close()
    assert editions(store) == editions(open_store(tmp_path, chroma_server)) == {"a.md": {"1"}}
    (now,) = (each for each in collections(chroma_server) if store._state().base in each.name)
    assert now.name != made.name


def test_a_knowledge_base_moves_to_a_server_and_back(tmp_path: Path, chroma_server: str, open_store: OpenStore) -> None:
    put(open_store(tmp_path), "a.md", numbered("a", 1))
    assert editions(open_store(tmp_path, chroma_server)) == {"a.md": {"1"}}
    put(open_store(tmp_path, chroma_server), "b.md", numbered("b", 1))
    assert editions(open_store(tmp_path)) == {"a.md": {"1"}, "b.md": {"1"}}


def test_large_vectors_go_in_several_requests(
    tmp_path: Path, chroma_server: str, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    monkeypatch.setattr("kb.store_vectors.BATCH_NUMBERS", 100)
    store = open_store(tmp_path, chroma_server)
    put(store, "a.md", numbered("a", 1, 40))
    assert editions(store) == {"a.md": {"1"}}


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="GUIDE_CHROMA_URL"):
        load_settings(chroma_url=url)
    assert load_settings(chroma_url="").chroma_url is None
