"""BM25 over the passages of the store, from disk when it is ready there."""

import math
import random
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingest.passages import split_passages
from kb.analysed import Block
from kb.errors import StoreError
from kb.lexical import LexicalIndex
from kb.records import Passage
from kb.settings import SOURCES, Settings
from kb.terms import terms
from tests.knowledge import OpenStore, document, numbered, put
from tests.store_processes import PROCESSES, put_when_told


def passages_of(*texts: str) -> list[Passage]:
    return [passage for number, text in enumerate(texts) for passage in split_passages(document(f"{number}.md", text))]


@pytest.fixture(scope="module")
def guide() -> LexicalIndex:
    text = (SOURCES / "llm_guide.md").read_bytes().decode()
    return LexicalIndex.build(split_passages(document("llm_guide.md", text)))


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("BitFit 训练哪些参数？", "只训练bias参数"),
        ("ollama 怎么运行 llama3", "ollama run llama3"),
        ("AutoModelForVision2Seq", "图像到文本（如图像描述）模型"),
        ("思维链的效果", "提高准确性"),
        ("Which pipeline does speech recognition? automatic-speech-recognition", "语音识别"),
    ],
)
def test_the_guide_answers_with_the_right_line(guide: LexicalIndex, question: str, found: str) -> None:
    assert any(found in passage.text for passage, _ in guide.search(question, 3))


def test_scores_are_those_of_bm25() -> None:
    texts = ["苹果是红色的水果", "香蕉是黄色的水果，水果很甜", "汽车有四个轮子"]
    counts = [terms(f"{number}\n{text}") for number, text in enumerate(texts)]  # a document's name counts too
    mean = sum(map(len, counts)) / 3
    # Lucene's BM25: idf = ln(1 + (N - n + 0.5) / (n + 0.5)), tf / (tf + k1 (1 - b + b length / mean length)).
    idf = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    expected = [idf * tf / (tf + 1.2 * (1 - 0.75 + 0.75 * len(counts[place]) / mean)) for place, tf in ((0, 1), (1, 2))]
    found = LexicalIndex.build(passages_of(*texts)).search("水果", 5)
    assert {passage.source: score for passage, score in found} == pytest.approx(
        {"0.md": expected[0], "1.md": expected[1]}, rel=1e-5
    )


def test_equal_scores_come_in_document_order() -> None:
    found = LexicalIndex.build(passages_of("苹果", "香蕉", "苹果", "苹果")).search("苹果", 2)
    assert [passage.source for passage, _ in found] == ["0.md", "2.md"]


@pytest.mark.parametrize("question", ["", "？", "的", "未见之词", "the of"])
def test_nothing_is_found_by_nothing(question: str) -> None:
    assert LexicalIndex.build(passages_of("苹果", "香蕉")).search(question, 3) == []


def test_an_empty_index_finds_nothing(home: Settings, open_store: OpenStore) -> None:
    with_nothing = LexicalIndex.open(open_store(home.home), home)
    assert with_nothing.search("苹果", 3) == LexicalIndex.open(open_store(home.home), home).search("苹果", 3) == []


def test_an_index_from_disk_finds_the_same(
    home: Settings, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    store = open_store(home.home)
    put(store, "表.md", "# 水果\n\n| 名称 | 颜色 |\n|---|---|\n| 苹果 | 红色 |\n| 香蕉 | 黄色 |\n")
    built = LexicalIndex.open(store, home)
    monkeypatch.setattr(LexicalIndex, "_renewed", None)  # an index that is ready is not built again
    loaded = LexicalIndex.open(open_store(home.home), home)
    assert built.search("香蕉的颜色", 9) == loaded.search("香蕉的颜色", 9) != []
    assert loaded.search("香蕉的颜色", 1)[0][0] in store.passages()


def test_a_change_of_the_store_gives_another_index(home: Settings, open_store: OpenStore) -> None:
    store = open_store(home.home)
    put(store, "a.md", "苹果")
    before = LexicalIndex.open(store, home)
    put(store, "a.md", "香蕉")
    after = LexicalIndex.open(store, home)
    assert [len(index.search(word, 3)) for index in (before, after) for word in ("苹果", "香蕉")] == [1, 0, 0, 1]
    assert len(list((home.home / "lexical").iterdir())) == 1


def test_only_what_is_new_is_analysed(home: Settings, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore) -> None:
    store = open_store(home.home)
    for name in ("a.md", "c.md", "d.md"):
        put(store, name, f"# {name}\n\n{name} 里有苹果。\n")
    LexicalIndex.open(store, home)
    analysed: list[str] = []

    def noted(text: str) -> list[str]:
        analysed.append(text)
        return terms(text)

    monkeypatch.setattr("kb.analysed.terms", noted)
    put(store, "b.md", "# b\n\n香蕉\n")
    put(store, "c.md", "# c\n\n汽车\n")
    store.delete(document("a.md", "").id)
    renewed = LexicalIndex.open(open_store(home.home), home)
    assert [text.splitlines()[-1] for text in analysed] == ["香蕉", "汽车"]
    assert list(renewed.passages) == store.passages()


def test_an_index_that_grew_with_the_store_is_as_one_built_at_once(home: Settings, open_store: OpenStore) -> None:
    store = open_store(home.home)
    drawn = random.Random(0)
    for _ in range(40):
        name = f"{drawn.randrange(6)}.md"
        known = {info.name: info.id for info in store.documents()}
        if name in known and drawn.random() < 0.4:
            store.delete(known[name])
        else:
            put(
                store,
                name,
                "\n\n".join(f"第 {drawn.randrange(99)} 段：{drawn.choice('苹果香蕉')}。" * 9 for _ in range(9)),
            )
        grown, whole = LexicalIndex.open(store, home), LexicalIndex.build(store.passages())
        assert grown.search("苹果的第 7 段", 99) == whole.search("苹果的第 7 段", 99)
        assert grown.rarity("苹果的第 7 段") == whole.rarity("苹果的第 7 段")
    assert len(grown.vocabulary) <= 2 * len(whole.vocabulary)


def test_a_passage_is_found_by_its_place_in_the_store(home: Settings, open_store: OpenStore) -> None:
    store = open_store(home.home)
    put(store, "a.md", numbered("a", 1))
    put(store, "b.md", numbered("b", 1))
    passages = LexicalIndex.open(store, home).passages
    for (generation, records), source in zip(store.records(())[1], ("a.md", "b.md"), strict=True):
        assert records is not None
        numbers = [passages.number_of((generation, number)) for number in range(len(records) + 1)]
        assert numbers.pop() is None
        assert {passages[number].source for number in numbers if number is not None} == {source}
    assert passages.number_of(("none", 0)) is None


def test_an_index_is_ready_at_once_however_often_another_process_writes(
    home: Settings, monkeypatch: pytest.MonkeyPatch, open_store: OpenStore
) -> None:
    ours, theirs = PROCESSES.Pipe()
    writer = PROCESSES.Process(target=put_when_told, args=(home.home, theirs), daemon=True)
    writer.start()
    theirs.close()
    written: list[str] = []

    def another_writes() -> None:
        written.append(f"{len(written)}.md")
        ours.send(written[-1])
        assert ours.recv() == written[-1]

    def interrupted(records: Sequence[str], vocabulary: dict[str, int]) -> Block:
        another_writes()
        return Block.of(records, vocabulary)

    another_writes()
    store = open_store(home.home)
    with ours:
        monkeypatch.setattr("kb.lexical.Block", SimpleNamespace(of=interrupted))
        for number in range(3):
            assert {passage.source for passage in LexicalIndex.open(store, home).passages} == set(written[:-1])
            assert len(written) == number + 2
        monkeypatch.undo()
        assert list(LexicalIndex.open(store, home).passages) == store.passages()
    writer.join(60)
    assert writer.exitcode == 0


def test_an_index_that_another_process_keeps_meanwhile_is_left_to_its_readers(
    home: Settings, open_store: OpenStore
) -> None:
    store = open_store(home.home)
    put(store, "a.md", "苹果")
    LexicalIndex.open(store, home)
    (ready,) = (home.home / "lexical").iterdir()
    kept = (ready / "terms.npy").stat().st_ino
    LexicalIndex.build(store.passages()).save(ready)
    assert (ready / "terms.npy").stat().st_ino == kept


@pytest.mark.parametrize("file", ["vocab.index.json", "generations.json", "passages.jsonl", "terms.npy"])
def test_a_damaged_index_is_built_again(
    home: Settings, monkeypatch: pytest.MonkeyPatch, file: str, open_store: OpenStore
) -> None:
    store = open_store(home.home)
    put(store, "a.md", "苹果")
    LexicalIndex.open(store, home)
    (damaged,) = (home.home / "lexical").glob(f"*/{file}")
    damaged.write_text("{")
    assert len(LexicalIndex.open(store, home).search("苹果", 3)) == 1
    monkeypatch.setattr(LexicalIndex, "_renewed", None)
    assert len(LexicalIndex.open(store, home).search("苹果", 3)) == 1


def test_an_index_that_cannot_be_kept_finds_all_the_same(home: Settings, open_store: OpenStore) -> None:
    store = open_store(home.home)
    put(store, "a.md", "苹果")
    (home.home / "lexical").write_text("in the way")
    index = LexicalIndex.open(store, home)
    assert len(index.search("苹果", 3)) == 1
    with pytest.raises(StoreError, match="lexical"):
        index.save(home.home / "lexical" / "version")


def test_a_version_that_was_replaced_leaves_memory_at_once() -> None:
    passages = LexicalIndex.build(passages_of("低秩适配")).passages
    assert passages[0].text
    gone = weakref.ref(passages)
    del passages
    assert gone() is None


def test_passages_are_found_by_a_stretch_that_they_hold_and_tell_their_terms() -> None:
    whole = Passage("w", "d", "d.md", "prose", "LoRA 省显存。QLoRA 更省。", (), 0, 18, 1, 1)
    part = Passage("p", "d", "d.md", "prose", "QLoRA 更省。", (), 10, 18, 1, 1)
    other = Passage("o", "e", "e.md", "prose", "LoRA 省显存。", (), 0, 10, 1, 1)
    index = LexicalIndex.build([whole, part, other])
    assert index.passages.holding(("d", 10, 18)) == {0: ("d", 0, 18), 1: ("d", 10, 18)}
    assert index.passages.holding(("d", 0, 12)) == {0: ("d", 0, 18)}
    assert index.passages.holding(("nothing", 0, 1)) == {}
    assert "显存" in index.terms_of(0)
    assert "显存" not in index.terms_of(1)
    assert "没有" not in index.terms_of(0)
