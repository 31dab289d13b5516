"""Passages cut into pieces that can be quoted."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kb.records import Hit, Passage
from rag.pieces import Piece, pieces, row_cells

SECTION = """### 13.3 选择指南

先看资源。再看任务！

**根据资源选择**：
- **极度受限**：BitFit > Prefix Tuning
- **GPU内存有限**：QLoRA
  适合单卡

```python
model = get_peft_model(base, config)

model.train()
```
| 框架 | 参数 |
|------|------|
| **LoRA** | 0.1-1% |
"""


def hit(text: str, kind: str = "prose", start: int = 0, **more: object) -> Hit:
    passage = Passage("p", "d", "guide.md", kind, text, ("选择",), start, start + len(text), 1, 1, **more)  # type: ignore[arg-type]
    return Hit(passage, 1.0, None, None)


def kinds(found: list[Piece]) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in found]


def test_section_is_cut_as_it_was_written() -> None:
    assert kinds(pieces([hit(SECTION)])) == [
        ("sentence", "先看资源。"),
        ("sentence", "再看任务！"),
        ("lead", "**根据资源选择**："),
        ("item", "- **极度受限**：BitFit > Prefix Tuning"),
        ("item", "- **GPU内存有限**：QLoRA\n  适合单卡"),
        ("code", "```python\nmodel = get_peft_model(base, config)\n\nmodel.train()\n```"),
        ("table_row", "| **LoRA** | 0.1-1% |"),
    ]


def test_item_knows_its_headings_and_lead_and_row_its_header() -> None:
    found = pieces([hit(SECTION)])
    assert found[3].about == "选择\n**根据资源选择**："
    assert found[6].header == ("框架", "参数")


def test_lines_that_each_define_a_name_are_items() -> None:
    text = "**大模型：**\n**分解器**：拆分任务\n**选择器**：选择行动"
    assert kinds(pieces([hit(text)])) == [
        ("lead", "**大模型：**"),
        ("item", "**分解器**：拆分任务"),
        ("item", "**选择器**：选择行动"),
    ]


def test_a_number_that_only_counts_is_no_sentence() -> None:
    assert kinds(pieces([hit("**2. 微调方案：**\n3. 2024. 完")])) == [("lead", "微调方案：**"), ("item", "3. 2024. 完")]


def test_a_full_stop_that_shortens_a_word_ends_no_sentence() -> None:
    text = "Ask the desk (ext. 4400) at once. By J. Okafor, see Fig. 3, e.g. Grams etc. and more. It is no. We go."
    assert [piece.text for piece in pieces([hit(text)])] == [
        "Ask the desk (ext. 4400) at once.",
        "By J. Okafor, see Fig. 3, e.g. Grams etc. and more.",
        "It is no.",
        "We go.",
    ]


def test_a_bold_line_over_a_list_says_what_it_is_about_and_is_no_piece() -> None:
    (item,) = pieces([hit("**Changed**\n\n- Sync is faster.")])
    assert (item.kind, item.lead) == ("item", "**Changed**")


def test_a_heading_without_marks_is_no_piece() -> None:
    assert kinds(pieces([hit("选择\n----\n先看资源。")])) == [("sentence", "先看资源。")]


def test_row_alone_takes_the_header_of_its_table() -> None:
    (row,) = pieces([hit("| T5 | 编码-解码 |", "table_row", header=("模型", "类型"))])
    assert row.header == ("模型", "类型")


def test_code_without_fences_stays_whole() -> None:
    code = "import peft\n\nprint(peft.__version__)"
    assert kinds(pieces([hit(code, "code")])) == [("code", code)]


def test_what_stands_in_two_hits_is_one_piece() -> None:
    text = "第一句。第二句。"
    both = pieces([hit("第二句。", start=4), hit(text)])
    assert [piece.span for piece in both] == [(4, 8), (0, 4)]


def test_long_code_is_parted_at_empty_lines_comments_and_prompts() -> None:
    first, second = "import peft\n" + "x = 1\n" * 30, "# 再保存\nmodel.save_pretrained(path)\ny = 2\n"
    session = ">>> model.count()\n>>> model.size()\n884736\n>>> print(1)\n1\n" + "2\n" * 120
    assert [text for _, text in kinds(pieces([hit(f"```python\n{first}\n{second}```")]))] == [
        first.strip(),
        second.strip(),
    ]
    assert [text.split("\n")[0] for _, text in kinds(pieces([hit(f"```\n{session}```")]))] == [
        ">>> model.count()",
        ">>> print(1)",
    ]


def test_a_line_that_is_an_image_is_no_piece() -> None:
    assert kinds(pieces([hit("![](images/a.png)\n\n看图。")])) == [("sentence", "看图。")]


def test_cells_keep_escaped_bars() -> None:
    assert row_cells(r"| **a\|b** | c |") == (r"a\|b", "c")


def test_an_entry_gives_its_signature_its_items_and_whole_sentences() -> None:
    text = (
        "#### \n\n\n保存\\_全部\n\n\n[<\n \n\n 来源\n \n\n >](a.py#L1)\n\n\n（\n\n\n 目录\n \n : 字符串\n\n\n）\n\n\n"
    )
    items = "* **目录**\n （\n `str`\n ）— 写到\n哪里。"
    sentence = "把全部内容保存到一个\n目录，也被\n `sync()`\n 调用。"
    found = kinds(pieces([hit(f"{text} 参数\n\n\n{items}\n\n\n {sentence}然后结束。")]))
    assert found[0][0] == "signature"
    assert found[0][1].startswith("保存")
    assert found[1:] == [("lead", "参数"), ("item", items), ("sentence", sentence), ("sentence", "然后结束。")]


def test_code_whose_opening_fence_is_elsewhere_is_code() -> None:
    assert kinds(pieces([hit(">>> run()\n1. done.\n```", "code")])) == [("code", ">>> run()\n1. done.")]


@given(text=st.text(st.sampled_from("低秩a。.!|-*#`~: ：\n1>"), max_size=80))
def test_pieces_are_ordered_disjoint_and_verbatim(text: str) -> None:
    found = pieces([hit(text, start=7)])
    for piece in found:
        assert piece.text == text[piece.span[0] - 7 : piece.span[1] - 7]
        assert piece.text == piece.text.strip() != ""
    spans = [piece.span for piece in found]
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
