"""Sections: which headings a stretch of Markdown stands under."""

import pytest
from hypothesis import given

from ingest.sections import split_sections
from kb.settings import SOURCES
from tests.markdown_texts import ANYTHING


def paths(text: str) -> list[tuple[str, ...]]:
    return [section.path for section in split_sections(text)]


@given(ANYTHING)
def test_sections_cover_the_text_in_order(text: str) -> None:
    sections = split_sections(text)
    assert "".join(text[section.start : section.end] for section in sections) == text
    assert all(section.start < section.end for section in sections) or not text


@pytest.mark.parametrize("name", ["llm_guide.md", "quick_start.md", "finetuning_notes.md"])
def test_the_guides_own_sections_cover_it(name: str) -> None:
    text = (SOURCES / name).read_bytes().decode()
    assert "".join(text[section.start : section.end] for section in split_sections(text)) == text


def test_the_trail_follows_the_levels() -> None:
    assert paths("# A\n## B\n### C\n## D\n# E\n### F\n") == [
        ("A",),
        ("A", "B"),
        ("A", "B", "C"),
        ("A", "D"),
        ("E",),
        ("E", "F"),
    ]


def test_text_before_the_first_heading_has_an_empty_trail() -> None:
    first, second = split_sections("\n\n前言\n\n# 一\n")
    assert (first.path, first.level, first.start) == ((), 0, 0)
    assert (second.path, second.level) == (("一",), 1)


def test_headings_in_code_are_not_headings() -> None:
    assert paths("# 一\n```python\n# 注释\n```\n~~~\n## 也不是\n~~~\n\n    # 缩进\n") == [("一",)]


def test_setext_headings_and_windows_line_ends() -> None:
    assert paths("标题\r\n===\r\n文字\r\n\r\n小节\r\n---\r\n文字\r\n") == [("标题",), ("标题", "小节")]


def test_titles_are_read_without_their_marks() -> None:
    assert paths("#### **`peft` \\_v2** [链接](http://x)  ####\n") == [("peft _v2 链接",)]


def test_front_matter_is_not_a_heading() -> None:
    assert paths("---\ntitle: 指南\n---\n# 一\n") == [(), ("一",)]


def test_a_paragraph_over_a_rule_is_not_a_heading() -> None:
    assert paths("很长的一段话，" * 40 + "\n---\n# 一\n") == [(), ("一",)]


def test_an_empty_heading_takes_the_short_paragraphs_below_it() -> None:
    page = "## 模型\n\n### \n\n\n类\n \n\n peft.\n \n\n PeftModel\n\n\n[<\n\n 来源\n\n >](http://x)\n"
    assert paths(page) == [("模型",), ("模型", "类 peft. PeftModel")]


def test_an_empty_heading_over_long_text_or_nothing_adds_nothing_to_the_trail() -> None:
    assert paths("## 模型\n### \n\n" + "字" * 90 + "\n### \n") == [("模型",)] * 3
