"""The example that puts the guide's parts into a llama-index program."""

from typing import TYPE_CHECKING

import pytest

from examples.llama_index_program import chat_in_turns, main, query_engine

if TYPE_CHECKING:
    from api.services import Services

pytestmark = pytest.mark.usefixtures("event_loop")

QUESTION = "daphne 是什么服务器？"


def test_the_engine_answers_from_the_guides_passages(services: "Services") -> None:
    response = query_engine(services, passages=1).query(QUESTION)
    assert [source.node.metadata["source"] for source in response.source_nodes] == ["llm_guide.md"]
    assert str(response).strip()


def test_adapters_are_chosen_for_each_engine(services: "Services") -> None:
    plain, adapted = (str(query_engine(services, 1, adapter).query(QUESTION)) for adapter in ("none", "default"))
    assert plain != adapted


def test_turns_are_answered_one_after_another(services: "Services") -> None:
    assert all(chat_in_turns(services, QUESTION, "它快吗？"))


def test_the_whole_of_it_runs(
    guide_home: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUIDE_HOME", guide_home)
    monkeypatch.setattr("sys.argv", ["llama_index_program", QUESTION])
    main()
    assert "llm_guide.md:" in capsys.readouterr().out
