"""Several `guide` processes on one knowledge base at once, in a folder and on a Chroma server."""

import json
import os
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from kb.lexical import LexicalIndex
from kb.settings import Settings
from tests.knowledge import OpenStore, numbered
from tests.serving import GUIDE, started_guide


@pytest.fixture
def settings(tmp_path: Path, chroma_url: str | None) -> Settings:
    return Settings(home=tmp_path / "知识 库", chroma_url=chroma_url)


def environment(settings: Settings) -> dict[str, str]:
    return {"GUIDE_HOME": str(settings.home), "GUIDE_CHROMA_URL": settings.chroma_url or ""}


def guide(settings: Settings, *arguments: str) -> str:
    """What a command prints; it must succeed."""
    command = [GUIDE, *arguments]
    settled = os.environ | environment(settings)
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8", env=settled, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_two_ingests_at_once_lose_nothing_and_store_nothing_twice(
    tmp_path: Path, settings: Settings, open_store: OpenStore
) -> None:
    for writer in "甲乙":
        folder = tmp_path / f"文件夹 {writer}"
        folder.mkdir()
        for number in range(5):
            (folder / f"{writer} 第{number}篇.md").write_text(numbered(f"{writer}{number}", 1), encoding="utf-8")
        (folder / f"{writer} 的副本.md").write_text(numbered("同文", 1), encoding="utf-8")
        (folder / "共有.md").write_text(numbered("共有", 1), encoding="utf-8")
    folders = [tmp_path / f"文件夹 {writer}" for writer in "甲乙"]
    with ThreadPoolExecutor() as together:
        told = list(together.map(lambda folder: guide(settings, "ingest", str(folder), "--json"), folders))

    store = open_store(settings.home, settings.chroma_url)
    outcomes = [outcome for reply in told for outcome in json.loads(reply)["documents"]]
    assert {outcome["document_id"] for outcome in outcomes} == {info.id for info in store.documents()}
    assert Counter(outcome["status"] for outcome in outcomes)["added"] >= 12
    names = {info.name for info in store.documents()}
    assert len(names & {"甲 的副本.md", "乙 的副本.md"}) == 1
    assert names - {"甲 的副本.md", "乙 的副本.md"} == {
        "共有.md",
        *(f"{writer} 第{number}篇.md" for writer in "甲乙" for number in range(5)),
    }
    texts = Counter(passage.text for passage in store.passages())
    assert set(texts.values()) == {1}
    assert sum(texts.values()) == sum(info.passages for info in store.documents())
    found = LexicalIndex.open(store, settings).search("同文", 100)
    assert {passage.source for passage, _ in found} == names & {"甲 的副本.md", "乙 的副本.md"}


def test_a_running_server_sees_what_another_process_ingests(tmp_path: Path, settings: Settings) -> None:
    first, second = tmp_path / "水果 一.md", tmp_path / "水果 二.md"
    first.write_text("# 甲\n\n苹果是红色的水果。\n", encoding="utf-8")
    second.write_text("# 乙\n\n香蕉是黄色的水果。\n", encoding="utf-8")
    guide(settings, "ingest", str(first))
    with (
        started_guide(settings.home, **environment(settings)) as server,
        httpx2.Client(base_url=server.url, timeout=60) as client,
    ):

        def sources() -> set[str]:
            reply = client.post("/v1/search", json={"question": "什么水果是黄色的？"})
            return {passage["source"] for passage in reply.json()["passages"]}

        assert sources() == {first.name}
        guide(settings, "ingest", str(second))
        assert sources() == {first.name, second.name}
        guide(settings, "documents", "delete", first.name)
        assert sources() == {second.name}


def test_a_knowledge_base_can_be_moved(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "a.md"
    file.write_text("# 甲\n\n苹果是红色的水果。\n", encoding="utf-8")
    guide(settings, "ingest", str(file))
    moved = settings.model_copy(update={"home": tmp_path / "moved"})
    shutil.move(settings.home, moved.home)
    assert "苹果" in guide(moved, "search", "什么水果是红色的？")
