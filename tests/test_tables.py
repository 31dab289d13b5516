"""Tables as data, recognised by how a document is set, with the place of every cell."""

import pytest
from hypothesis import given

from ingest.tables import find_tables
from kb.records import Document, Table
from kb.settings import SOURCES
from tests.knowledge import document
from tests.markdown_texts import ANYTHING, MARKDOWN


def tables(text: str, name: str = "a.md") -> list[Table]:
    return find_tables(Document("d" * 16, name, "文档", text, "utf-8", ""))


def cells(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


@given(ANYTHING | MARKDOWN)
def test_every_cell_stands_in_its_row_and_every_row_in_the_document(text: str) -> None:
    found = tables(text)
    assert found == tables(text)
    assert len({table.id for table in found}) == len(found)
    for table in found:
        assert table.rows
        assert table.title
        for row in table.rows:
            assert len(row.cells) == len(table.columns)
            assert 0 <= row.start < row.end <= len(text)
            assert row.first_line <= row.last_line
            for cell in row.cells:
                assert row.start <= cell.start <= cell.end <= row.end
                assert bool(cell.text) <= bool(text[cell.start : cell.end].strip())


def test_a_markdown_table_has_the_text_of_its_cells() -> None:
    text = "# 水果\n\n| 名 | **色** |\n|---|---|\n| **苹果** | `红` [图](a.png) |\n| a \\| b |\n| | 黄 | 多余 |\n"
    (table,) = tables(text)
    assert (table.kind, table.title, table.section) == ("table", "水果", ("水果",))
    assert table.columns == ("名", "色")
    assert cells(table) == [["苹果", "红 图"], ["a | b", ""], ["", "黄"]]
    assert table.lines == (5, 7)
    apple = table.rows[0]
    assert text[apple.start : apple.end] == "| **苹果** | `红` [图](a.png) |"
    assert text[apple.cells[1].start : apple.cells[1].end] == "`红` [图](a.png)"


def test_tables_without_outer_bars_and_in_quotes_are_read_alike() -> None:
    for mark in ("", "> "):
        (table,) = tables("\n".join(f"{mark}{line}" for line in ("a | b", "--|--", "1 | 2", "3 | 4")))
        assert cells(table) == [["1", "2"], ["3", "4"]]


def test_a_table_is_called_by_its_heading_and_what_leads_to_it() -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    titles = [
        found.title
        for found in tables(
            f"# 一：\n\n{table}\n说来话长。以下是总览：\n\n{table}\n**对比**\n\n{table}\n说完了。\n\n{table}"
        )
    ]
    assert titles == ["一", "一 › 以下是总览", "一 › 对比", "一"]
    assert tables(table)[0].title == "文档"


def test_a_list_of_names_and_texts_is_a_table() -> None:
    text = "常用的类：\n\n- **Loader**  \n  读取文件。\n- **Saver**：写入\n  文件。\n- **Mover** — 移动文件。\n"
    (table,) = tables(text)
    assert (table.kind, table.title, table.columns) == ("list", "常用的类", ("名称", "说明"))
    assert cells(table) == [["Loader", "读取文件。"], ["Saver", "写入 文件。"], ["Mover", "移动文件。"]]
    assert text[table.rows[1].start : table.rows[1].end] == "- **Saver**：写入\n  文件。"


def test_names_may_be_code_links_or_words() -> None:
    assert cells(tables('- `run("a")`  甲\n- `run("b")`  乙\n')[0]) == [['run("a")', "甲"], ['run("b")', "乙"]]
    assert cells(tables("- [a](#x): one\n- [b](#y): two\n")[0]) == [["a", "one"], ["b", "two"]]
    (table,) = tables("- red: warm\n- blue: cold\n- grey - neither\n")
    assert (table.columns, cells(table)[2]) == (("name", "description"), ["grey", "neither"])


def test_types_in_brackets_are_a_column() -> None:
    text = "参数\n\n* **目录**\n （\n [路径](/(a)#Path)\n ) — 写到\n哪里。\n* **模式** (str, 可选) - 怎么写。\n"
    (table,) = tables(text)
    assert (table.title, table.columns) == ("参数", ("名称", "类型", "说明"))
    assert cells(table) == [["目录", "路径", "写到哪里。"], ["模式", "str, 可选", "怎么写。"]]


def test_lists_of_sentences_links_and_steps_are_no_tables() -> None:
    for text in (
        "- 第一句。\n- 第二句。\n- 第三句。\n",
        "- red: warm\n- blue: cold\n",  # two may be chance
        "- https://a.org\n- https://b.org\n- https://c.org\n",
        "- **一**\n- **二**\n",
        "- **注意**：甲\n- **注意**：乙\n",
        "- **甲**：有\n- 没有名字的一项\n",
        "1. 打开文件\n2. 写：内容\n3. 关上\n",
    ):
        assert tables(text) == [], text


def test_lines_of_definitions_are_a_table() -> None:
    (table,) = tables("组件：\n\n**读者**：读取文件\n**作者**：写入文件\n")
    assert cells(table) == [["读者", "读取文件"], ["作者", "写入文件"]]
    assert tables("**读者**：读取文件\n第二行只是文字\n") == []


def test_sections_that_say_the_same_of_other_subjects_are_one_table() -> None:
    text = "# 框架\n\n## 甲\n- **类型**：库\n- **用途**：训练\n\n"
    text += "## 乙\n- **用途**：部署\n- **类型**：服务\n- **依赖**：无\n"
    (table,) = tables(text)
    assert (table.kind, table.title, table.columns) == ("sections", "框架", ("名称", "类型", "用途", "依赖"))
    assert cells(table) == [["甲", "库", "训练", ""], ["乙", "服务", "部署", "无"]]
    assert text[table.rows[0].start : table.rows[0].end].startswith("甲\n- **类型**")


def test_items_that_say_the_same_of_other_subjects_are_one_table() -> None:
    text = "- 甲：\n  - **类型**：库\n  - **用途**：训练\n- 乙\n  - **类型**：服务\n  - **用途**：部署\n"
    (table,) = tables(text)
    assert (table.columns, cells(table)) == (
        ("名称", "类型", "用途"),
        [["甲", "库", "训练"], ["乙", "服务", "部署"]],
    )


def test_sections_that_share_nothing_stay_apart() -> None:
    text = "# 一\n\n## 甲\n- **a**：1\n- **b**：2\n\n## 乙\n- **c**：3\n- **d**：4\n"
    assert [(table.kind, table.title) for table in tables(text)] == [("list", "甲"), ("list", "乙")]


def test_a_list_interrupted_by_one_with_other_marks_goes_on() -> None:
    (table,) = tables("* **a** (x) — 可以是：\n+ 一\n+ 二\n* **b** (y) — 乙\n")
    assert cells(table) == [["a", "x", "可以是：一 二"], ["b", "y", "乙"]]


def test_the_entries_of_an_api_page_are_a_table() -> None:
    method = "#### \n\n\n{0}\\_全部\n\n\n[<\n \n\n 来源\n \n\n >](https://x.org/a.py#L1)\n\n\n（\n"
    method += "\n\n 名称\n \n : 字符串\n\n\n）\n\n\n 参数\n\n\n* **名称**（str）— 名字。\n* **值**（int）— 数。\n\n\n"
    method += "{0}下\n全部。\n\n\n"
    found = tables("# 接口\n\n" + "".join(map(method.format, ("保存", "删除"))))
    assert [(table.kind, table.title) for table in found] == [
        ("entries", "接口"),
        ("list", "保存_全部 › 参数"),
        ("list", "删除_全部 › 参数"),
    ]
    assert cells(found[0])[1] == ["删除_全部", "删除_全部(名称: 字符串)", "删除下全部。"]


def test_the_guides_tables_are_there_with_their_cells() -> None:
    found = tables((SOURCES / "llm_guide.md").read_bytes().decode(), "llm_guide.md")
    by_title = {table.title: table for table in found}
    families = [table for table in found if table.columns == ("模型", "类型", "说明")]
    assert len(families) == 9
    methods = by_title["13.1 微调框架对比 › 参数高效微调（PEFT）框架总览"]
    assert [row.cells[0].text for row in methods.rows][:3] == ["LoRA", "AdaLoRA", "QLoRA"]
    assert (len(methods.rows), len(methods.columns)) == (8, 6)
    assert len(by_title["1. 通用自动加载类（AutoClass）"].rows) == 11
    assert len(by_title["3. 专用Pipeline"].rows) == 10
    assert by_title["13.2 各框架详细介绍"].columns == ("名称", "原理", "优势", "适用", "参数", "特点")


HTML = """# 方法

<table>
<tr><th>方法</th><th>内存 &amp; 速度</th></tr>
<tr><td><b>LoRA</b></td><td>低</td></tr>
<TR><TD>QLoRA</TD></TR>
</table>
"""
OPEN = """# 方法

<table>
<tr><th>方法<th>内存
<tr><td>LoRA<td>低
<tr><td>QLoRA<td>
</table>
"""
SIMPLE = """# 方法

========  ====
方法      内存
========  ====
LoRA      低
全量微调  高，
          要多卡
BitFit
========  ====
"""

GRID = """# 方法

+--------+----------+
| 方法   | 内存     |
+========+==========+
| LoRA   | 低       |
+--------+----------+
| QLoRA  | 极低，   |
|        | 4bit     |
+--------+----------+
"""


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        (HTML, ("方法", "内存 & 速度"), [("LoRA", "低"), ("QLoRA", "")]),
        (OPEN, ("方法", "内存"), [("LoRA", "低"), ("QLoRA", "")]),
        (GRID, ("方法", "内存"), [("LoRA", "低"), ("QLoRA", "极低， 4bit")]),
        (SIMPLE, ("方法", "内存"), [("LoRA", "低"), ("全量微调", "高， 要多卡"), ("BitFit", "")]),
    ],
)
def test_tables_of_html_and_grids_are_read(text: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    (table,) = find_tables(document("a.md", text))
    assert (table.kind, table.section, table.columns) == ("table", ("方法",), columns)
    assert [tuple(cell.text for cell in row.cells) for row in table.rows] == rows
    for row in table.rows:
        assert all(row.start <= cell.start <= cell.end <= row.end for cell in row.cells)
        first = row.cells[0]
        assert first.text in text[first.start : first.end]


@pytest.mark.parametrize(
    "text", ["<table>\n<tr><td>一</td></tr>\n</table>\n", "+---+\n| a |\n+---+\n", "<table>\n<tr>\n"]
)
def test_a_header_alone_is_no_table(text: str) -> None:
    assert find_tables(document("a.md", text)) == []


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("- " + "`" * 20_000, []),
        ("- **" + " " * 20_000, []),
        ("<table>a" * 20_000, []),
        ("<table>" + "<tr><td>a" * 20_000 + "</table>", [19_999]),
    ],
    ids=["backticks", "spaces", "tables", "rows"],
)
def test_what_does_not_end_is_looked_through_in_time(text: str, rows: list[int]) -> None:
    assert [len(table.rows) for table in find_tables(document("a.md", text))] == rows
