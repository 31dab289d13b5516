"""The parts that every way in shares."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.services import Once, Services
from kb.errors import InputError, StoreError
from kb.settings import load_settings


def test_a_value_is_made_once_by_many_threads() -> None:
    made: list[object] = []
    together = threading.Barrier(8, timeout=60)

    def make() -> object:
        made.append(object())
        return made[-1]

    once = Once(make)

    def call() -> object:
        together.wait()
        return once()

    with ThreadPoolExecutor(8) as pool:
        values = {id(value.result()) for value in [pool.submit(call) for _ in range(8)]}
    assert len(made) == len(values) == 1


def test_a_value_that_could_not_be_made_is_tried_again() -> None:
    attempts = iter([InputError("no"), None])

    def make() -> str:
        if problem := next(attempts):
            raise problem
        return "made"

    once = Once(make)
    with pytest.raises(InputError):
        once()
    assert once() == "made"


def test_a_search_sees_what_another_process_has_ingested(tmp_path: Path, chroma_url: str | None) -> None:
    settings = load_settings(home=tmp_path, chroma_url=chroma_url)
    with Services(settings) as reader, Services(settings) as writer:
        writer.pipeline.ingest_bytes("a.md", "# 甲\n\n苹果是红色的水果。\n".encode())
        assert [hit.passage.source for hit in reader.search("什么水果是红色的？").hits] == ["a.md"]
        writer.pipeline.ingest_bytes("b.md", "# 乙\n\n香蕉是黄色的水果。\n".encode())
        assert "b.md" in {hit.passage.source for hit in reader.search("什么水果是黄色的？").hits}
        writer.store.delete(writer.store.document("b.md").id)
        assert "b.md" not in {hit.passage.source for hit in reader.search("什么水果是黄色的？").hits}


@pytest.mark.parametrize(("question", "said"), [("什么？", "空的"), ("What?", "is empty")])
def test_an_empty_knowledge_base_says_what_to_run(tmp_path: Path, question: str, said: str) -> None:
    with Services(load_settings(home=tmp_path)) as services:
        for attempt in (services.search, services.ask, services.compare):
            with pytest.raises(StoreError, match="`guide ingest`") as caught:
                attempt(question)
            assert said in str(caught.value)


def test_nothing_is_missing_once_the_guide_is_in(services: Services) -> None:
    assert services.missing() == ()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    settings = load_settings(
        home=tmp_path, chat_model=str(tmp_path / "no-chat"), embedding_model=str(tmp_path / "no-em")
    )
    with Services(settings) as services:
        documents, embedding, chat = services.missing()
    assert "guide ingest" in documents
    assert "no-em" in embedding
    assert "no-chat" in chat
