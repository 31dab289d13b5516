"""Headings of plain texts, told by their form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.documents import read_document
from ingest.markdown import parse
from ingest.read import raw_document
from ingest.sections import outlines

MINUTES = """          产品周会纪要

时间：周二 14:00

一、回顾
1. 支付页已上线。

二、下次会议
周二 14:00，301 室。
"""
LAW = """劳动合同法（节选）

第二章　订立

第一节　总则
第十条　应当订立书面合同。

第二节 分则
第十一条　可以续订。

第三章　解除

第二十条　可以解除。
"""


def paths(text: str) -> list[tuple[str, ...]]:
    return [outline.section.path for outline in outlines(parse(text, unmarked=True))]


def test_numbered_lines_and_the_title_are_headings() -> None:
    title = "产品周会纪要"
    assert paths(MINUTES) == [(title,), (title, "一、回顾"), (title, "二、下次会议")]


def test_chapters_stand_above_sections() -> None:
    law, second = "劳动合同法（节选）", "第二章 订立"
    under = [(second,), (second, "第一节 总则"), (second, "第二节 分则"), ("第三章 解除",)]
    assert paths(LAW) == [(law,), *((law, *path) for path in under)]


def test_a_passage_knows_the_headings_and_is_cut_at_them() -> None:
    read = read_document(
        raw_document("菜谱.txt", "红烧肉\n\n【食材】\n冰糖 40克\n盐\n\n【做法】\n炖一小时。\n".encode())
    )
    assert read.document.title == "红烧肉"
    assert [(passage.section[-1], passage.text) for passage in read.passages] == [
        ("【食材】", "红烧肉\n\n【食材】\n冰糖 40克\n盐"),
        ("【做法】", "【做法】\n炖一小时。"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "各位业主：\n\n一、自七月起收费。\n\n二、垃圾要分类。\n",  # a lead and sentences
        "今天讨论了很多事情。\n\n一、回顾\n二、讨论\n三、待办\n\n好。\n",  # a list
        "今天讨论了很多事情。\n\n一、回顾\n\n好。\n",  # one alone
    ],
)
def test_other_lines_are_no_headings(text: str) -> None:
    assert paths(text) == [()]


def test_marked_headings_are_kept_alone() -> None:
    assert paths("前言\n\n# 一\n\n一、回顾\n好\n\n二、讨论\n好\n") == [(), ("一",)]


@given(text=st.text(st.sampled_from("一二、第章节【】a 。\n-1."), max_size=60))
def test_sections_of_any_text_cover_it_in_order(text: str) -> None:
    found = [outline.section for outline in outlines(parse(text, unmarked=True))]
    assert "".join(text[section.start : section.end] for section in found) == text
