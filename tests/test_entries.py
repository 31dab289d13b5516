"""Entries of API pages: what belongs together is put together, and nothing else is touched."""

import pytest
from hypothesis import given

from ingest.passages import split_passages
from kb.entries import find_entry, put_together, readable, referenced_names
from tests.knowledge import document
from tests.markdown_texts import ANYTHING

SPREAD_PARTS = [
    "#### ",
    "保存\\_全部",
    "[<\n \n\n 来源\n \n\n >](https://x.org/store.py#L7)",
    "（",
    " 目录\n \n : 字符串 = '.'",
    "\\*\\*kwargs\n \n ： 任何",
    "）",
    " 参数",
    "* **目录**\n （\n [路径](https://x.org/paths#store.FolderPath)\n ) — 写到哪里，\n如果没有则创建。",
    "把全部内容保存到一个\n目录。也被\n `Store.sync()`\n 调用。\n",
]
SPREAD = "\n\n\n".join(SPREAD_PARTS)

ENTRIES = {
    SPREAD: "保存_全部(目录: 字符串 = '.', **kwargs: 任何)",
    "### class x.Store\n\n[< source >](https://x.org/s.py#L1)\n\n( home: Path, size = 3 )\n\nKeeps things.": (
        "class x.Store(home: Path, size = 3)"
    ),
    "### 重置\n\n[<\n \n\n源码\n \n\n>](https://x.org/s.py#L9)\n\n\n（\n \n\n ）\n\n\n清空。": "重置()",
    "# step(time, inputs=None, *, states, **kwargs)\n\nOne step.": "step(time, inputs=None, *, states, **kwargs)",
    "## x.Store.open\\_all()\n": "x.Store.open_all()",
    "### a\n\n### \n\nb\n\n[<\n源\n>](u)\n\n(\n\n x\n \n : int\n\n)\n": "b(x: int)",
}

NO_ENTRIES = [
    "",
    "# LoRA (Low-Rank Adaptation)\n\n低秩。",
    "# RAG(Retrieval Augmented Generation)\n",
    "# 步骤(准备, 训练)\n",
    "# 说明\n\n(\n\n没有结束",
    "# 参数\n\n- **a**\n （\n `str`\n ） — 名字\n\n（\n\nx\n\n）\n",
    "(\n\nx\n\n)\n",
    "# 标题\n\n" + "字" * 90 + "\n\n(\n\nx\n\n)\n",
]


@pytest.mark.parametrize(("text", "signature"), ENTRIES.items(), ids=list(ENTRIES.values()))
def test_a_signature_is_found_however_it_is_spread(text: str, signature: str) -> None:
    entry = find_entry(text)
    assert entry is not None
    assert entry.signature == signature
    assert text[entry.start : entry.end].strip() == text[entry.start : entry.end]


@pytest.mark.parametrize("text", NO_ENTRIES)
def test_other_sections_are_no_entries(text: str) -> None:
    assert find_entry(text) is None


def test_an_entry_reads_as_name_signature_parameters_and_what_it_does() -> None:
    assert readable(SPREAD).split("\n\n") == [
        "#### 保存_全部(目录: 字符串 = '.', **kwargs: 任何)",
        "参数",
        "* **目录**（路径) — 写到哪里，如果没有则创建。",
        "把全部内容保存到一个目录。也被 `Store.sync()` 调用。",
    ]


def test_code_in_an_entry_keeps_its_lines() -> None:
    code = "```python\nif x:\n y = 1\n\n\n z = 2\n```"
    assert readable(f"{SPREAD}\n\n{code}\n").endswith(code)
    assert readable(f"列表：\n 值\n\n{code[:-3]}") == f"列表：\n 值\n\n{code[:-3]}"


@given(ANYTHING)
def test_reading_keeps_every_letter_of_a_text_that_is_no_entry(text: str) -> None:
    if find_entry(text) is None and "](" not in text:
        read = readable(text)
        assert [c for c in read if c.isalnum()] == [c for c in text if c.isalnum()]


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("以便于\n重新加载", "以便于重新加载"),
        ("见\n [表](#t)\n 。", "见 [表](#t)。"),
        ("（\n `str`\n ,\n *可选*\n ） — x", "（`str`, *可选*）— x"),
        ("one\ntwo", "one two"),
        (r"a\_b \*c", "a_b *c"),
    ],
)
def test_broken_lines_are_put_together(broken: str, whole: str) -> None:
    assert put_together(broken) == whole


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (r"用[来自\_pretrained](/d#lib.Model.from_pretrained)加载", ["lib.Model.from_pretrained"]),
        (r"用[Model.from\_pretrained()](/d#lib.Model.from_pretrained)加载", []),
        ("[路径](/d#lib.FolderPath)，即 FolderPath", []),
        ("[源](https://x.org/a.py#L12)，[节](#131-对比)", []),
        ("[保存](https://x.org/d)", []),
    ],
)
def test_names_that_only_links_have_are_found(text: str, names: list[str]) -> None:
    assert list(referenced_names(text)) == names


def test_a_text_without_end_is_read_in_time() -> None:
    assert find_entry("# a\n\n" + "(\n" * 200_000) is None
    assert find_entry("# a\n\n" + "[<" * 200_000) is None


@pytest.mark.timeout(10)
def test_the_code_of_an_entry_may_hold_long_drawings() -> None:
    drawing = "|  |\n" * 20_000
    text = f"# x\n\n## step\n\n(\n\ntime\n\n)\n\n说明。\n\n```\nfrom peft import LoraConfig\n{drawing}```\n"
    assert any("LoraConfig" in passage.context for passage in split_passages(document("a.md", text)))
