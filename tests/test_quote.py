"""Which pieces are chosen, and how they read."""

from dataclasses import replace

import numpy as np
import pytest

from kb.records import Hit, Passage
from rag.answer import joined
from rag.pieces import Piece, pieces
from rag.quote import Weights, answering, choose, overlaps, rank, shortlist, shown

TABLE = "| 框架 | 参数 | 场景 |\n|---|---|---|\n| **QLoRA** | 0.1-1% | 大模型微调 |\n| BitFit | <0.1% | 简单任务 |\n"
PROSE = "BitFit 只训练偏置。前缀微调在输入前加上可训练的向量。ASGI 支持异步。"


def found(text: str, kind: str = "prose", score: float = 1.0, name: str = "p") -> list[Piece]:
    passage = Passage(name, name, "g.md", kind, text, ("微调",), 0, len(text), 1, 1)  # type: ignore[arg-type]
    return pieces([Hit(passage, score, None, None)])


def test_piece_that_holds_the_questions_terms_overlaps_most() -> None:
    shares = overlaps("前缀微调加上什么向量？", found(PROSE))
    assert int(shares.argmax()) == 1
    assert 0 <= shares.min() < shares.max() <= 1


def test_a_title_above_other_headings_counts_for_all_alike() -> None:
    title, faq = "云扫机器人", ("云扫机器人", "噪声")
    texts = [("版本：六月。", (title,)), ("取下主刷。", faq)]
    hits = [
        Hit(Passage(text, "d", "g.md", "prose", text, section, n, n + 9, 1, 1, "\n".join(section)), 1.0, None, None)
        for n, (text, section) in zip((0, 10), texts, strict=True)
    ]
    line, step = overlaps("机器人的声音", pieces(hits))
    assert line == step > 0


def test_likelihood_decides_between_equal_overlaps() -> None:
    candidates = found(PROSE)
    without = rank("完全无关", candidates, None, Weights())
    assert np.ptp(without) == 0
    nats = np.array([-30.0, -40.0, -20.0])
    assert int(rank("完全无关", candidates, nats, Weights()).argmax()) == 2


def test_better_retrieved_passage_wins_a_tie() -> None:
    candidates = found("同一句话。", score=0.2, name="a") + found("同一句话。", score=0.9, name="b")
    assert int(rank("同一句话", candidates, None, Weights()).argmax()) == 1


def test_shortlist_keeps_the_best_in_the_order_given() -> None:
    candidates = found(PROSE)
    kept = shortlist("ASGI 支持什么？BitFit 训练什么？", candidates, Weights(), most=2)
    assert kept == [candidates[0], candidates[2]]


def test_pieces_nearly_as_good_are_added_in_the_order_of_the_text() -> None:
    candidates = found(PROSE)
    chosen = choose("", candidates, np.array([0.8, 0.1, 1.0]), margin=0.25)
    assert [piece.text for piece in chosen] == ["BitFit 只训练偏置。", "ASGI 支持异步。"]


def test_budget_and_number_hold_but_the_best_piece_always_stands() -> None:
    candidates = found(PROSE)
    equal = np.array([1.0, 0.99, 0.98])
    assert len(choose("", candidates, equal, most=2)) == 2
    assert [piece.text for piece in choose("", candidates, equal, budget=1)] == ["BitFit 只训练偏置。"]


@pytest.mark.parametrize(
    ("text", "question", "quoted"),
    [
        ("它不容易忘。因为它近似全量微调。它很快。", "它为什么不容易忘？", ["它不容易忘。", "因为它近似全量微调。"]),
        ("它不容易忘。因为它近似全量微调。它很快。", "它容易忘吗？", ["它不容易忘。"]),
        (
            "It forgets little. Because it is close.",
            "Why does it forget little?",
            ["It forgets little.", "Because it is close."],
        ),
        ("它不容易忘。它很快。", "它为什么不容易忘？", ["它不容易忘。"]),
    ],
)
def test_a_reason_is_quoted_with_what_it_explains_if_it_is_asked_for(
    text: str, question: str, quoted: list[str]
) -> None:
    candidates = found(text)
    scores = np.array([1.0, *[0.0] * (len(candidates) - 1)])
    assert [piece.text for piece in choose(question, candidates, scores)] == quoted
    assert [piece.text for piece in shortlist(question, candidates, Weights(), most=1)][: len(quoted)] == quoted


def test_row_reads_with_its_column_names() -> None:
    row = found(TABLE, "table")[0]
    assert shown(row) == "QLoRA — 参数：0.1-1%；场景：大模型微调"


def test_rows_that_are_compared_answer_together() -> None:
    row, other = found(TABLE, "table")
    beside = found("QLoRA 与 BitFit 之间，选哪个要看显存。", name="b", score=2.0)
    candidates = [replace(row, hit=replace(row.hit, score=0.1)), *beside, other]
    question = "QLoRA 和 BitFit 有什么区别？"
    assert overlaps(question, candidates)[[0, 2]].tolist() == pytest.approx([overlaps(question, candidates)[1]] * 2)
    compared = rank(question, candidates, None, Weights())
    assert compared[0] == compared[2]
    alone = rank("QLoRA 有什么用？", candidates, None, Weights())
    assert alone[0] != alone[2]


@pytest.mark.parametrize(
    ("question", "reads"),
    [
        ("QLoRA 的参数有多少？", "QLoRA — 参数：0.1-1%"),
        ("QLoRA 的场景和参数", "QLoRA — 参数：0.1-1%；场景：大模型微调"),
        ("QLoRA 是哪种框架？", "QLoRA — 参数：0.1-1%；场景：大模型微调"),
    ],
)
def test_a_row_answers_with_the_columns_that_are_asked_for(question: str, reads: str) -> None:
    assert answering(found(TABLE, "table")[0], question) == reads


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("QLoRA 是什么？", ["QLoRA"]),
        ("QLoRA 的参数", ["QLoRA"]),
        ("比 QLoRA 更简单的是什么？", ["QLoRA", "BitFit"]),
        ("QLoRA 和 BitFit 的参数", ["QLoRA", "BitFit"]),
        ("有哪些框架？", ["QLoRA", "BitFit"]),
    ],
)
def test_rows_beside_the_one_that_is_all_that_is_asked_for_are_not_quoted(question: str, rows: list[str]) -> None:
    candidates = found(TABLE, "table")
    chosen = choose(question, candidates, np.ones(len(candidates)))
    assert [shown(piece).partition(" — ")[0] for piece in chosen] == rows


def test_an_entry_reads_as_its_signature_and_broken_lines_as_one() -> None:
    text = "### 保存\n\n[<\n源\n>](a.py#L1)\n\n（\n\n 目录\n \n : 字符串\n\n）\n\n"
    item = "* **目录**\n （\n [路径](/d#x.Path)\n ）— 写到\n哪里。"
    assert [shown(piece) for piece in found(text + item)] == ["保存(目录: 字符串)", "目录（路径）— 写到哪里。"]


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("- **优势**：效果接近\n  全量微调", "微调 › 优势：效果接近 全量微调"),
        ("> 设置 trust\\_remote\\_code=True。", "设置 trust_remote_code=True。"),
        ("看 `peft.__version__`。", "看 `peft.__version__`。"),
        ("```python\nimport peft\n```", "```python\nimport peft\n```"),
    ],
)
def test_marks_of_markdown_are_left_out(text: str, reads: str) -> None:
    assert shown(found(text)[0]) == reads


def test_rows_are_quoted_below_the_heading_that_they_share_said_once() -> None:
    rows = [piece for piece in found(TABLE, kind="table") if piece.kind == "table_row"]
    first, second = joined(rows, "QLoRA 和 BitFit").split("\n")
    assert first.startswith("微调 › ")
    assert "微调 ›" not in second


def test_prose_is_quoted_without_its_heading() -> None:
    assert joined(found(PROSE)[:1], "BitFit") == "BitFit 只训练偏置。 [1]"
