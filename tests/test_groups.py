"""Lists and code that are quoted with what leads them in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.records import Hit, Passage
from rag.groups import LONGEST, needed, with_groups
from rag.pieces import Piece, pieces
from rag.quote import choose, shown


def grouped(text: str) -> list[Piece]:
    return with_groups(pieces([Hit(Passage("p", "d", "g.md", "prose", text, (), 0, len(text), 1, 1), 1.0, None, None)]))


def test_a_list_is_one_piece_with_its_lead_beside_its_items() -> None:
    found = grouped("**适用场景：**\n- 客服\n- 报告生成\n\n其他。")
    assert [(piece.kind, piece.text) for piece in found] == [
        ("group", "**适用场景：**\n- 客服\n- 报告生成"),
        ("item", "- 客服"),
        ("item", "- 报告生成"),
        ("sentence", "其他。"),
    ]
    assert shown(found[0]) == "适用场景：客服；报告生成"


def test_a_lists_subject_is_said_once() -> None:
    text = "- **优点**：快\n- **缺点**：少"
    passage = Passage("p", "d", "g.md", "list", text, ("微调",), 0, len(text), 1, 1)
    assert shown(with_groups(pieces([Hit(passage, 1.0, None, None)]))[0]) == "微调 › 优点：快；缺点：少"


def test_code_comes_with_the_sentence_that_says_what_it_does() -> None:
    found = grouped("先装好。这样查看当前版本：\n\n```python\nprint(peft.__version__)\n```")
    assert [piece.kind for piece in found] == ["sentence", "group", "code"]
    assert shown(found[1]) == "这样查看当前版本：\n```python\nprint(peft.__version__)\n```"


LIST = "待办：\n- 刘芳：压测方案，5月17日前发出\n- 陈立：整理访谈\n- 王海涛：扩大灰度"


@pytest.mark.parametrize(
    ("question", "whole"),
    [
        ("谁出压测方案？", False),
        ("压测方案和访谈的待办归谁？", True),  # no item has both
        ("待办归谁？", True),  # all items stand below it
        ("压测方案怎么做？", True),  # a way has several steps
        ("压测方案是什么？", True),
        ("压测方案归哪几个人？", True),  # several things are asked for
    ],
)
def test_a_list_of_which_one_item_answers_is_not_quoted_whole(question: str, *, whole: bool) -> None:
    kinds = [piece.kind for piece in needed(question, grouped(LIST))]
    assert kinds == (["group", "item", "item", "item"] if whole else ["item"])


def test_lists_under_two_leads_stay_apart() -> None:
    found = grouped("优点：\n- 快\n- 省\n\n缺点：\n- 少\n- 窄")
    assert [piece.text for piece in found if piece.kind == "group"] == ["优点：\n- 快\n- 省", "缺点：\n- 少\n- 窄"]


def test_what_is_too_long_to_be_quoted_whole_stays_in_its_pieces() -> None:
    items = "\n".join(f"- {n}{'长' * 60}" for n in range(6))
    kinds = [piece.kind for piece in grouped(f"这里有很多项，一项一项来看一看：\n{items}")]
    assert kinds == ["lead"] + ["item"] * 6


def test_a_lead_that_is_chosen_brings_what_it_leads_to() -> None:
    lead = Passage("a", "d", "g.md", "prose", "用下面的命令查看当前版本：", (), 0, 13, 1, 1)
    code = Passage("b", "d", "g.md", "code", "```\nprint(1)\n```", (), 15, 31, 3, 5)
    found = with_groups(pieces([Hit(lead, 1.0, None, None), Hit(code, 0.5, None, None)]))
    scores = [1.0, 0.0]
    import numpy as np

    assert [piece.kind for piece in choose("", found, np.array(scores))] == ["lead", "code"]


@given(text=st.text(st.sampled_from("低a。-：\n `1. "), max_size=80))
def test_groups_are_made_of_whole_pieces_and_none_is_lost(text: str) -> None:
    found = grouped(text)
    groups = [piece for piece in found if piece.kind == "group"]
    for group in groups:
        assert (group.start, group.end) == (group.parts[0].start, group.parts[-1].end)
        assert group.end - group.start <= LONGEST
    alone = {piece.span for piece in found} | {part.span for group in groups for part in group.parts}
    cut = pieces([found[0].hit]) if found else []
    assert {piece.span for piece in cut if piece.kind != "lead"} <= alone
