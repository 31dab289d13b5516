"""Passages: what is searched, shown and cited, with spans exact to the code point."""

import re
from itertools import pairwise

from hypothesis import given, settings

from ingest.markdown import IMAGE, LINE_END, MARKS, plain
from ingest.passages import split_passages
from kb.records import Document, Passage
from kb.settings import SOURCES
from tests.markdown_texts import ANYTHING, MARKDOWN

GUIDE = ["llm_guide.md", "quick_start.md", "finetuning_notes.md"]


def document(text: str, name: str = "a.md") -> Document:
    return Document("d", name, name, text, "utf-8", "")


def passages(text: str) -> list[Passage]:
    return split_passages(document(text))


def guide(name: str) -> list[Passage]:
    return split_passages(document((SOURCES / name).read_bytes().decode(), name))


def one_with(found: list[Passage], words: str, kind: str | None = None) -> Passage:
    """The shortest passage that holds `words`."""
    fitting = [passage for passage in found if words in passage.text and kind in {None, passage.kind}]
    assert fitting, f"no passage holds {words!r}"
    return min(fitting, key=lambda passage: len(passage.text))


@given(ANYTHING)
def test_spans_and_lines_are_exact(text: str) -> None:
    for passage in passages(text):
        assert text[passage.start : passage.end] == passage.text == passage.text.strip() != ""
        before, through = text[: passage.start], text[: passage.end]
        assert passage.first_line == 1 + len(LINE_END.findall(before))
        assert passage.last_line == 1 + len(LINE_END.findall(through))


@given(ANYTHING)
def test_ids_are_unique_and_the_same_again(text: str) -> None:
    found = passages(text)
    assert len({passage.id for passage in found}) == len(found)
    assert found == passages(text)


@given(MARKDOWN)
def test_every_word_is_in_some_passage(text: str) -> None:
    said = " ".join(re.sub(r"\s+", " ", passage.text) for passage in passages(text))
    words = set(re.findall(r"[^\W_]+", IMAGE.sub("", text)))
    assert {word for word in words if word not in said} == set()


@given(MARKDOWN)
@settings(max_examples=50)
def test_passages_come_in_the_documents_order_and_nest_or_stand_apart(text: str) -> None:
    for first, second in pairwise(passages(text)):
        assert first.start <= second.start
        assert second.start >= first.end or second.end <= first.end


def test_the_guides_passages_are_short_and_have_words() -> None:
    found = [passage for name in GUIDE for passage in guide(name)]
    assert sum(len(passage.text) for passage in found) / len(found) <= 400
    assert all(any(map(str.isalnum, passage.text)) for passage in found)


def test_a_table_row_knows_its_header_and_heading() -> None:
    row = one_with(guide("llm_guide.md"), "只训练前缀", "table_row")
    assert row.text.startswith("| **Prefix Tuning** |")
    assert row.section[-1] == "13.1 微调框架对比"
    assert "可训练参数: <0.1%" in row.context
    assert "13.1 微调框架对比" in row.context
    assert row.header == ("框架", "类型", "可训练参数", "内存使用", "适用场景", "技术特点")


def test_a_table_stands_whole_with_its_heading_and_lead() -> None:
    table = one_with(guide("llm_guide.md"), "只训练前缀", "table")
    assert table.text.startswith("### 13.1 微调框架对比\n\n**参数高效微调（PEFT）框架总览**：")
    assert table.text.endswith("传统方法 |")


def test_a_huge_table_comes_in_stretches_that_name_the_columns() -> None:
    rows = "\n".join(f"| 模型{number} | {'说明' * 20} |" for number in range(100))
    found = [
        passage for passage in passages(f"# 表\n\n| 名称 | 备注 |\n|---|---|\n{rows}\n") if passage.kind == "table"
    ]
    assert len(found) > 3
    assert all(len(passage.text) <= 900 for passage in found)
    assert "名称 备注" in found[1].context


def test_a_short_section_is_one_passage_with_its_heading() -> None:
    assert one_with(guide("llm_guide.md"), "将权重更新分解为两个低秩矩阵").text.startswith(
        "### 13.2 各框架详细介绍\n\n#### **LoRA (Low-Rank Adaptation)**\n- **原理**"
    )


def test_an_item_keeps_its_second_line_and_knows_the_lists_lead() -> None:
    items = "\n".join(f"- **AutoModelFor{number}**  \n  自动加载用于第 {number} 种任务的模型。" for number in range(20))
    found = passages(f"# 类\n\n常用的自动类：\n\n{items}\n")
    item = one_with(found, "第 7 种任务")
    assert item.text == "- **AutoModelFor7**  \n  自动加载用于第 7 种任务的模型。"
    assert item.context == "类\n常用的自动类："
    assert found[0].text.startswith("# 类\n\n常用的自动类：\n\n- **AutoModelFor0**")


def test_a_nested_list_too_long_for_one_passage_is_led_by_its_item() -> None:
    inner = "\n".join(f"  - 第 {number} 步要做的事情写在这里，说得相当详细。" for number in range(30))
    item = one_with(passages(f"# 部署\n\n- 模型的推理\n{inner}\n- 完成\n"), "第 9 步")
    assert "模型的推理" in item.context


def test_code_stands_whole_with_the_sentence_that_introduces_it() -> None:
    code = one_with(
        passages("# 合并\n\n最后合并模型：\n\n```python\nmodel.merge_and_unload()\n```\n" + "字。" * 300), "merge"
    )
    assert code.text == "# 合并\n\n最后合并模型：\n\n```python\nmodel.merge_and_unload()\n```"
    assert code.kind == "code"


def test_code_after_a_long_paragraph_knows_its_last_sentence() -> None:
    code = one_with(passages(f"# 合并\n\n{'说来话长。' * 80}合并如下：\n\n```python\nmerge()\n```\n"), "merge()")
    assert code.text == "```python\nmerge()\n```"
    assert code.context == "合并\n合并如下："


def test_output_too_long_to_stand_with_its_code_knows_it() -> None:
    output = one_with(
        passages("# 问\n\n```python\nask('你好')\n```\n\n```plaintext\n" + "答。" * 190 + "\n```\n"), "答。答。"
    )
    assert "ask('你好')" in output.context


def test_code_inside_an_item_stays_whole() -> None:
    found = guide("finetuning_notes.md")
    assert "- text-generation-webui" in one_with(found, "python server.py --model llama1_13b_hf").text


def test_huge_code_and_paragraphs_are_cut_at_sensible_borders() -> None:
    code = "\n\n".join(f"def step_{number}():\n    return {number}" for number in range(200))
    pieces = passages(f"```python\n{code}\n```\n")
    assert all(len(piece.text) <= 1000 for piece in pieces)
    assert all(piece.text.startswith(("def", "```")) for piece in pieces)
    sentences = passages("这是一句不长不短的话，说了一件事情。" * 200)
    assert all(len(piece.text) <= 410 and piece.text.endswith("。") for piece in sentences)


def test_contents_images_and_rules_are_no_passages() -> None:
    text = "# 甲\n\n## 目录\n\n- [一](#一)\n- [二](#二)\n\n---\n\n![](a.png)\n\n## 一\n\n文字\n"
    assert [passage.text for passage in passages(text)] == ["## 一\n\n文字"]


def test_a_list_of_links_is_one_passage() -> None:
    links = "\n".join(f"> - https://example.org/{number}" for number in range(9))
    assert [passage.text for passage in passages(f"# 参考\n\n{links}\n")] == [f"# 参考\n\n{links}"]


def test_a_bullet_over_a_paragraph_is_read_with_it() -> None:
    found = one_with(guide("quick_start.md"), "AutoPeftModel适合已经推送到hub上")
    assert found.text.startswith("- 整理PeftModel和AutoPeftModel的区别\n\n简而言之")


def test_what_is_said_twice_in_a_section_is_kept_once() -> None:
    block = f"提问：\n\n```python\nchat('{'你好' * 100}')\n```\n\n"
    assert len(passages(f"# 一\n\n{block * 3}# 二\n\n{block}")) == 2


def test_headings_of_restructured_text_are_seen_in_such_files_only() -> None:
    text = "Guide\n=====\n\nSection A\n~~~~~~~~~\n\nText A.\n\nSection B\n^^^^^^^^^\n\nText B.\n"
    found = split_passages(document(text, "guide.rst"))
    assert [(passage.section, passage.text.split()[-1]) for passage in found] == [
        (("Guide", "Section A"), "A."),
        (("Guide", "Section B"), "B."),
    ]
    assert all(text[passage.start : passage.end] == passage.text for passage in found)
    windows = split_passages(document(text.replace("\n", "\r\n"), "guide.rst"))
    assert [passage.section for passage in windows] == [passage.section for passage in found]
    fenced = "代码：\n~~~\n# 注释\n~~~\n"
    assert [passage.text for passage in passages(fenced)] == [fenced.strip()]


def test_a_machine_translated_page_gives_one_entry_for_each_method() -> None:
    method = "#### \n\n\n方法\\_{0}\n\n\n[<\n \n\n 来源\n \n\n >](https://x.org/a.py#L1)\n\n\n（\n"
    method += "\n\n 名称\n \n : 字符串\n\n\n）\n\n\n做{0}。\n\n\n"
    page = "".join(method.format(name) for name in "甲乙丙")
    found = passages(f"# 模型\n\n{page}")
    assert [passage.section[-1] for passage in found] == ["方法_甲", "方法_乙", "方法_丙"]
    assert all("名称" in passage.text and passage.text.endswith("。") for passage in found)


ENTRY = "\n\n\n".join(
    [
        "### ",
        "{name}\\_全部",
        "[<\n \n\n 来源\n \n\n >](https://x.org/a.py#L1)",
        *("（", " 目录\n \n : 字符串", "）"),
        *(
            " 参数",
            "{items}",
            "把全部内容{name}到一个\n目录。",
            " 例子：",
            "```\n>>> from store import FolderStore, open_store\n{code}\n```\n",
        ),
    ]
)
ITEM = "* **名字{0}**\n （\n `str`\n ）— 第 {0} 个参数，\n说得相当详细。"


def entry(name: str, items: int, code: int) -> str:
    lines = "\n".join(f">>> FolderStore().step({number})" for number in range(code))
    return ENTRY.format(name=name, items="\n".join(map(ITEM.format, range(items))), code=lines)


def test_an_entry_stands_whole_and_in_its_parts() -> None:
    text = f"# 接口\n\n{entry('保存', 8, 3)}"
    found = passages(text)
    whole, head = found[0], found[1]
    assert whole.text == text.strip()
    assert head.text.endswith("）")
    assert head.end < one_with(found, "第 3 个参数").start
    assert one_with(found, "把全部内容").section == ("接口", "保存_全部")


def test_a_long_entry_is_kept_in_parts_that_know_its_name() -> None:
    found = passages(f"# 接口\n\n{entry('保存', 40, 40)}{entry('删除', 40, 40)}")
    assert max(len(passage.text) for passage in found) <= 900
    assert {passage.section[-1] for passage in found} == {"保存_全部", "删除_全部"}
    assert one_with(found, "第 7 个参数").text == ITEM.format(7)
    assert "删除_全部" in one_with(found, "把全部内容删除").context


def test_an_entry_is_found_by_the_names_that_its_example_imports() -> None:
    found = passages(f"# 接口\n\n{entry('保存', 40, 3)}")
    assert "FolderStore open_store" in one_with(found, "第 7 个参数").context


def test_a_passage_is_found_by_names_that_only_its_links_have() -> None:
    (found,) = passages("# 加载\n\n用[来自\\_预训练](https://x.org/a#lib.Model.from_pretrained)加载模型。")
    assert found.context == "lib.Model.from_pretrained"


def test_a_list_interrupted_by_one_with_other_marks_goes_on() -> None:
    first = "* **甲** — 可以是下面这些，说得相当详细：\n+ 一，也说得相当详细\n+ 二，也说得相当详细"
    others = "\n".join(f"* **乙{number}** — 说得相当详细的一项，说得相当详细的一项。" for number in range(30))
    assert one_with(passages(f"# 参数\n\n{first}\n{others}\n"), "+ 二").text == first


def test_lines_of_definitions_are_read_like_items() -> None:
    lines = [f"**第{number}个组件**：它的作用写在这里，说得相当详细，又说了一遍。" for number in range(30)]
    found = passages("# 组件\n\n由这些组件组成：\n\n" + "\n".join(lines))
    assert one_with(found, "第7个").text == lines[7]
    assert one_with(found, "第7个").context == "组件\n由这些组件组成："


@given(ANYTHING)
def test_a_text_without_marks_reads_as_it_is_written(text: str) -> None:
    """The short way and the parser's give the same."""
    without = MARKS.sub("", text)
    marked = f"{without}\n*x*"
    assert plain(without) == plain(marked).removesuffix("x").strip()
