"""What a search may be held to, and the passages beside a passage."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kb.errors import NotFoundError
from kb.lexical import LexicalIndex
from kb.records import Filter, Passage
from kb.settings import load_settings
from kb.store import Store
from rag.filters import Sieve
from rag.retrieve import Retriever
from tests.knowledge import OpenStore, put

if TYPE_CHECKING:
    from api.services import Services

QUESTION = "LoRA 的参数怎么设置？"


def overlap(one: Passage, other: Passage) -> bool:
    return max(one.start, other.start) < min(one.end, other.end)


def test_no_filter_allows_everything(services: "Services") -> None:
    sieve = Sieve(LexicalIndex.open(services.store, services.settings).passages)
    assert sieve.allowed(None) is None
    assert sieve.allowed(Filter()) is None


def test_passages_are_parsed_for_the_first_filter_only(services: "Services", monkeypatch: pytest.MonkeyPatch) -> None:
    passages = LexicalIndex.open(services.store, services.settings).passages
    sieve = Sieve(passages)
    within = Filter(documents=["llm_guide.md"], section="lora", kinds=["prose", "table_row"])
    first = sieve.allowed(within)
    assert first is not None
    assert first.any()
    monkeypatch.setattr(type(passages), "__getitem__", None)
    again = sieve.allowed(within)
    assert again is not None
    assert again.tolist() == first.tolist()


def test_nothing_is_found_among_no_passages() -> None:
    mask = Sieve(LexicalIndex.build([]).passages).allowed(Filter(documents=["a.md"], section="a", kinds=["code"]))
    assert mask is not None
    assert mask.shape == (0,)


@pytest.mark.parametrize(
    ("within", "holds"),
    [
        (Filter(documents=["quick_start.md"]), lambda passage: passage.source == "quick_start.md"),
        (Filter(kinds=["code"]), lambda passage: passage.kind == "code"),
        (Filter(kinds=["table_row", "table"]), lambda passage: passage.kind in {"table_row", "table"}),
        (Filter(section="qlora"), lambda passage: any("qlora" in heading.casefold() for heading in passage.section)),
        (
            Filter(documents=["llm_guide.md"], kinds=["list"]),
            lambda passage: (passage.source, passage.kind) == ("llm_guide.md", "list"),
        ),
        (Filter(documents=[]), lambda _: False),
        (Filter(kinds=[]), lambda _: False),
        (Filter(section="no heading"), lambda _: False),
    ],
)
def test_only_what_is_allowed_is_found_by_either_search(services: "Services", within: Filter, holds: object) -> None:
    assert callable(holds)
    retriever = services.retriever
    allowed = [passage for passage in LexicalIndex.open(services.store, services.settings).passages if holds(passage)]
    found = retriever.search(QUESTION, 100, within).hits
    assert all(holds(hit.passage) for hit in found)
    assert len(found) >= min(len(allowed), 3)
    assert bool(found) == bool(allowed)
    assert all(hit.dense is not None for hit in found[:3])


def test_a_document_is_named_by_its_id_too(services: "Services") -> None:
    document = services.store.document("quick_start.md")
    by_name, by_id = (services.search(QUESTION, 5, Filter([key])) for key in (document.name, document.id))
    assert by_name.hits == by_id.hits


def test_a_document_that_is_not_there_is_named(services: "Services") -> None:
    with pytest.raises(NotFoundError, match=r"no document 'Quickstart'\. Near to that: quick_start\.md\. "):
        services.search(QUESTION, within=Filter(documents=["quick_start.md", "Quickstart"]))
    with pytest.raises(NotFoundError, match=r"no document '其他'\. `guide documents` lists the \d there are"):
        services.store.document("其他")


def test_many_allowed_passages_are_sifted_from_the_nearest_of_all(
    services: "Services", monkeypatch: pytest.MonkeyPatch
) -> None:
    within = Filter(kinds=["prose", "list"])
    alone = services.retriever.search(QUESTION, 20, within)
    monkeypatch.setattr("rag.retrieve.LOOKED_AT_ALONE", 0)
    sifted = services.retriever.search(QUESTION, 20, within)
    assert [hit.passage.id for hit in sifted.hits] == [hit.passage.id for hit in alone.hits]
    assert sifted.answerable == pytest.approx(alone.answerable)


def test_the_store_looks_only_among_places(open_store: OpenStore, tmp_path: Path, chroma_url: str | None) -> None:
    store = open_store(tmp_path, chroma_url)
    for name in ("一.md", "二.md", "三.md"):
        put(store, name, f"{name} 说的是猫。")
    vector = np.ones(16, np.float32)
    every = [place for place, _ in store.nearest_places(vector, 10)]
    for among in ([every[-1]], every[1:], []):
        assert {place for place, _ in store.nearest_places(vector, 10, among)} == set(among)
    assert store.nearest_places(vector, 10, [("gone", 0)]) == []


def test_neighbours_stand_beside_a_passage_in_the_order_of_the_text(services: "Services") -> None:
    retriever = services.retriever
    for hit in retriever.search(QUESTION, 20).hits:
        before, after = retriever.neighbours(hit.passage, 2)
        row = [*before, hit.passage, *after]
        assert [each.start for each in row] == sorted(each.start for each in row)
        assert not any(overlap(one, other) for one in row for other in row if one is not other)
        assert {each.document_id for each in row} == {hit.passage.document_id}
        assert all(len(side) <= 2 for side in (before, after))


def test_neighbours_of_a_row_are_rows_and_of_prose_whole_tables(tmp_path: Path) -> None:
    file = tmp_path / "表.md"
    file.write_text(
        "# 表\n\n先说几句。\n\n| 名 | 义 |\n|---|---|\n| 甲 | 一 |\n| 乙 | 二 |\n| 丙 | 三 |\n\n再说几句。\n",
        encoding="utf-8",
    )
    from api.services import Services

    with Services(load_settings(home=tmp_path / "home")) as small:
        list(small.pipeline.ingest([file]))
        passages = small.store.passages()
        by_text = {passage.text: passage for passage in passages}
        row = next(passage for passage in passages if passage.kind == "table_row" and "乙" in passage.text)
        last = next(passage for passage in passages if passage.text.endswith("再说几句。"))
        before, after = small.retriever.neighbours(row)
        assert [(each.kind, "甲" in each.text) for each in before] == [("table_row", True)]
        assert [(each.kind, "丙" in each.text) for each in after] == [("table_row", True)]
        assert [each.kind for each in small.retriever.neighbours(last)[0]] == ["table"]
        assert small.retriever.neighbours(by_text[last.text])[1] == ()
        assert small.retriever.neighbours(row, 0) == ((), ())


def test_a_passage_of_a_document_that_is_gone_has_no_neighbours(services: "Services") -> None:
    assert services.retriever.neighbours(Passage("p", "gone", "gone.md", "prose", "x", (), 0, 1, 1, 1)) == ((), ())


def test_an_empty_knowledge_base_can_be_filtered(services: "Services", tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    with closing(Store.open(settings)) as store:
        retriever = Retriever(store, LexicalIndex.open(store, settings), services.embedder)
        assert retriever.search("问", within=Filter(kinds=["code"])).hits == ()
