"""Rows and columns that a question names."""

import pytest

from ingest.passages import split_passages
from ingest.tables import find_tables
from kb.records import Passage
from kb.terms import terms
from rag.cells import WHOLE, NamedCells, names_of, plain_name, stands_in
from tests.knowledge import document

GUIDE = document(
    "a.md",
    """# 方法

| 方法 | 内存使用 | 适用场景 |
|---|---|---|
| **LoRA** | 低 | 通用任务 |
| **QLoRA** | 极低 | 大模型 |

## 类

常用的类：

- **Loader**：读取文件。
- **Saver（写入器）**：写入文件。
""",
)


def spans(passages: list[Passage]) -> dict[str, tuple[str, int, int]]:
    return {passage.id: (passage.document_id, passage.start, passage.end) for passage in passages}


def shares(question: str) -> dict[str, float]:
    """What NamedCells gives to the guide's passages, by their text; every term of the question weighs alike."""
    passages = split_passages(GUIDE)
    cells = NamedCells(lambda documents: find_tables(GUIDE) if GUIDE.id in documents else [])
    found = cells.shares(question, [(term, 1.0) for term in terms(question)], spans(passages))
    by_id: dict[str, Passage] = {passage.id: passage for passage in passages}
    return {by_id[name].text: share for name, share in found.items()}


def test_a_row_and_a_column_that_are_named_count_by_what_names_them() -> None:
    found = shares("LoRA 的内存使用")
    assert "| **LoRA** | 低 | 通用任务 |" in found
    assert all("| **LoRA** | 低 |" in text for text in found)
    assert set(found.values()) == {1.0}
    assert max(shares("LoRA 的内存使用近来怎么样").values()) < 1


@pytest.mark.parametrize("question", ["LoRA 的训练", "AdaLoRA 的内存使用", "内存使用是什么？", "", "？"])
def test_a_row_alone_or_a_column_alone_counts_for_nothing(question: str) -> None:
    assert shares(question) == {}


def test_rows_that_are_compared_need_no_column_and_count_by_all_their_names() -> None:
    found = shares("LoRA 和 QLoRA")
    assert {"| **LoRA** | 低 | 通用任务 |", "| **QLoRA** | 极低 | 大模型 |"} <= set(found)
    assert set(found.values()) == {1.0}
    assert shares("LoRA 和 Loader").keys().isdisjoint(found)


def test_a_row_that_is_all_that_is_asked_for_counts_most() -> None:
    found = shares("LoRA 是什么？")
    assert set(found.values()) == {WHOLE}
    assert "| **LoRA** | 低 | 通用任务 |" in found
    assert not any("**QLoRA**" in text and "**LoRA**" not in text for text in found)


def test_a_row_that_is_all_that_is_asked_for_counts_though_no_search_found_its_passage() -> None:
    passages = split_passages(GUIDE)
    row = next(p for p in passages if p.kind == "table_row" and "**LoRA**" in p.text)
    other = next(p for p in passages if p.kind == "table_row" and "**QLoRA**" in p.text)
    cells = NamedCells(lambda documents: find_tables(GUIDE) if GUIDE.id in documents else [])
    span = (row.document_id, row.start, row.end)
    holding = lambda stretch: {"row": span} if span[1] <= stretch[1] and stretch[2] <= span[2] else {}  # noqa: E731
    found = cells.shares(
        "LoRA 是什么？", [("lora", 1.0)], {"other": (other.document_id, other.start, other.end)}, holding
    )
    assert found == {"row": WHOLE}


def test_what_is_said_of_a_name_needs_no_column() -> None:
    assert max(shares("Loader 是什么？").values()) == pytest.approx(1 / len(terms("Loader 是什么？")))
    assert shares("写入器怎么用？")


def test_documents_are_asked_for_once() -> None:
    asked: list[set[str]] = []
    cells = NamedCells(lambda documents: asked.append(set(documents)) or [])  # type: ignore[func-returns-value]
    for _ in range(2):
        cells.shares("LoRA", [("lora", 1.0)], spans(split_passages(GUIDE)))
    assert asked == [{GUIDE.id}]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("🦙 2. LLaMA 家族（Meta）", ("llama 家族(meta)", "llama 家族", "meta")),
        ("LoRA (Low-Rank Adaptation)", ("lora (low-rank adaptation)", "lora", "low-rank adaptation")),
        ("1. torch（PyTorch）", ("torch(pytorch)", "torch", "pytorch")),
        ("`pipeline`", ("pipeline",)),
        ("r", ()),
        ("", ()),
    ],
)
def test_a_name_goes_without_numbers_signs_and_gloss(text: str, names: tuple[str, ...]) -> None:
    assert names_of(text) == names


@pytest.mark.parametrize(
    ("name", "question", "stands"),
    [
        ("LoRA", "QLoRA 和 LoRA 有什么区别", True),
        ("LoRA", "QLoRA 的原理", False),
        ("LoRA", "LoRA的原理", True),
        ("save", "save_pretrained 做什么", False),
        ("内存使用", "它的内存使用怎样", True),
        ("P-Tuning", "P-Tuning v2", True),
        ("Tuning", "P-Tuning v2", False),
    ],
)
def test_a_name_stands_by_itself_or_not_at_all(name: str, question: str, stands: bool) -> None:
    assert stands_in(plain_name(name), plain_name(question)) == stands
