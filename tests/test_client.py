"""The typed client, against a real server."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.client import GuideClient, ServerProblem
from api.schemas import AskReply
from tests.serving import running_guide

QUESTION = "QLoRA 的适用场景是什么？"
KEY = "secret"
NAME = "笔记 #1?.md"


@pytest.fixture(scope="module")
def url(spare_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(spare_home, home)
    with running_guide(home, GUIDE_API_KEY=KEY) as url:
        yield url


@pytest.fixture
def guide(url: str) -> Iterator[GuideClient]:
    with GuideClient(url, KEY) as guide:
        yield guide


def test_a_document_from_being_sent_to_being_deleted(guide: GuideClient, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("# 秋千\n\n荡秋千要在最低处站起来。\n", encoding="gb18030")
    document = guide.ingest_file(tmp_path / NAME)
    assert document.doc_metadata["file_name"] == NAME
    assert guide.document(NAME).text.startswith("# 秋千")
    assert "最低处" in guide.search("怎样荡秋千？", top_k=1).passages[0].text
    with pytest.raises(ServerProblem, match="笔记 #1") as caught:
        guide.ingest_file(tmp_path / NAME)
    assert caught.value.problem.status == 409
    guide.delete(document.doc_id)
    assert NAME not in {row.name for row in guide.documents()}


def test_answers_whole_and_in_pieces(guide: GuideClient) -> None:
    answer = guide.ask(QUESTION, id="q")
    assert answer.citations
    *pieces, reply = guide.ask_stream(QUESTION, id="q")
    assert isinstance(reply, AskReply)
    assert "".join(map(str, pieces)) == reply.answer == answer.answer
    messages = [{"role": "user", "content": QUESTION}]
    chat = guide.chat(messages, model="guide")
    assert chat.choices[0].sources
    assert "".join(guide.chat_stream(messages, use_context=True)) == chat.choices[0].message.content
    assert {variant.variant for variant in guide.compare(QUESTION).answers} >= {"plain", "rag"}


def test_a_refusal_is_a_problem_whatever_is_asked(url: str) -> None:
    with GuideClient(url, "another key") as guide:
        for call in (guide.ready, guide.documents):
            with pytest.raises(ServerProblem, match="GUIDE_API_KEY") as caught:
                call()
            assert caught.value.problem.status == 401


def test_the_rest_is_typed(guide: GuideClient) -> None:
    assert guide.health().status == "ok"
    assert guide.ready().status == "ready"
    assert {model.kind for model in guide.models()} == {"guide", "base", "adapter", "embedding"}
    assert len(guide.embed(["低秩适配", "量化"])) == 2
    assert guide.chunks(QUESTION, limit=2, prev_next_chunks=1)[0].text
    table = guide.tables("llm_guide.md")[0]
    assert guide.table(table.id) == table
    status = guide.send_text("later.md", "# 以后\n\n以后再读。")
    assert guide.ingest_status(status.track_id).file_name == "later.md"
    begun = guide.evaluate([{"question": QUESTION, "gold": ["4bit"]}], answers=False)
    assert guide.evaluation(begun.track_id).track_id == begun.track_id


def test_problems_are_raised_with_what_the_server_said(guide: GuideClient, url: str) -> None:
    with pytest.raises(ServerProblem, match="no-such") as caught:
        guide.ask(QUESTION, adapter="no-such")
    assert json.loads(caught.value.problem.model_dump_json())["status"] == 404
    with pytest.raises(ServerProblem, match="no-such"):
        list(guide.chat_stream([{"role": "user", "content": "?"}], model="no-such"))
    with GuideClient(url) as stranger, pytest.raises(ServerProblem, match="GUIDE_API_KEY"):
        stranger.documents()
