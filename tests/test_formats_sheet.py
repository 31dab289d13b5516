"""Sheets with several tables, as workbooks and as CSV: each table is one of Markdown, and one table stays one."""

import csv
import io
from collections.abc import Callable, Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from ingest.documents import read_document
from ingest.formats import read_as_text
from ingest.formats_markdown import markdown_table
from ingest.formats_sheet import sheet_text
from ingest.read import raw_document
from tests.packed import saved

Row = Sequence[str | int | None]

STAFF: list[Row] = [["姓名", "部门"], ["张三", "研发部"], ["李四", "市场部"]]
THINGS: list[Row] = [["名称", "数量"], ["电脑", 3], ["桌子", 5]]
CITIES: list[Row] = [["城市", "省份"], ["杭州", "浙江"], ["苏州", "江苏"]]
WIDE: list[Row] = [["方法", "显存", "速度"], ["LoRA", "低", "快"], ["QLoRA", "极低", "慢"]]


def table(rows: Sequence[Row]) -> str:
    return markdown_table([["" if value is None else str(value) for value in row] for row in rows])


def beside(*blocks: Sequence[Row]) -> list[Row]:
    """The blocks, each as wide as its first row, with an empty column between any two."""
    height = max(map(len, blocks))
    columns = [[*block, *[[]] * (height - len(block))] for block in blocks]
    return [
        list(
            chain.from_iterable(
                [*row, *[None] * (len(block[0]) - len(row) + 1)] for row, block in zip(rows, blocks, strict=True)
            )
        )[:-1]
        for rows in zip(*columns, strict=True)
    ]


def workbook(rows: Sequence[Row]) -> str:
    book = Workbook()
    book.active.title = "汇总"
    for row in rows:
        book.active.append(list(row))
    return read_as_text(raw_document("a.xlsx", saved(book))).text.removeprefix("# 汇总\n\n").rstrip("\n")


def values(rows: Sequence[Row]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return read_as_text(raw_document("a.csv", written.getvalue().encode())).text.rstrip("\n")


@pytest.mark.parametrize("read", [workbook, values])
@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        pytest.param(
            [["员工"], *STAFF, [], ["办公\n设备"], *THINGS],
            ["## 员工", table(STAFF), "## 办公 设备", table(THINGS)],
            id="each below its title",
        ),
        pytest.param(
            [["总表"], ["单位：个"], [], *STAFF, ["注：在编"], [], ["设备"], ["单位：台"], *THINGS],
            ["总表", "单位：个", table([*STAFF, ["注：在编"]]), "## 设备", "单位：台", table(THINGS)],
            id="lines above and a note below",
        ),
        pytest.param([*STAFF, [], ["城市"], *CITIES], [table(STAFF), "## 城市", table(CITIES)], id="one title"),
        pytest.param(
            [["员工"], *STAFF, [], *THINGS], ["员工", table(STAFF), table(THINGS)], id="values where words were"
        ),
        pytest.param([*THINGS, [], *STAFF], [table(THINGS), table(STAFF)], id="words where values were"),
        pytest.param([*STAFF, [], *WIDE], [table(STAFF), table(WIDE)], id="a column more"),
        pytest.param([*STAFF, [], [], *CITIES], [table(STAFF), table(CITIES)], id="two empty rows"),
        pytest.param([*STAFF, [], *STAFF[:2]], [table(STAFF), table(STAFF[:2])], id="the same names"),
        pytest.param(
            [["一组"], *STAFF, ["二组"], *STAFF],
            ["## 一组", table(STAFF), "## 二组", table(STAFF)],
            id="the same names below a title without an empty row",
        ),
        pytest.param(
            [*STAFF, [], ["收入", 2023, 2024], ["研发部", 1, 2]],
            [table(STAFF), table([["收入", 2023, 2024], ["研发部", 1, 2]])],
            id="years are names",
        ),
        pytest.param(beside(STAFF, [*THINGS, ["椅子", 9]]), [table(STAFF), table([*THINGS, ["椅子", 9]])], id="longer"),
        pytest.param(
            beside([*STAFF, ["王五", "财务部"]], THINGS),
            [table([*STAFF, ["王五", "财务部"]]), table(THINGS)],
            id="shorter",
        ),
        pytest.param(
            beside([["员工", None], *STAFF], [["城市", None], *CITIES]),
            ["## 员工", table(STAFF), "## 城市", table(CITIES)],
            id="side by side below their titles",
        ),
        pytest.param(beside(STAFF, STAFF), [table(STAFF), table(STAFF)], id="side by side with the same names"),
        pytest.param(
            [["汇总"], *beside([*STAFF, [], ["设备"], *THINGS], [*CITIES, *CITIES[1:], *CITIES[1:]])],
            ["汇总", table(STAFF), "设备", table(THINGS), table([*CITIES, *CITIES[1:], *CITIES[1:]])],
            id="two beside a long one",
        ),
    ],
)
def test_several_tables_are_several(
    read: Callable[[Sequence[Row]], str], rows: Sequence[Row], texts: list[str]
) -> None:
    assert read(rows).split("\n\n") == texts


@pytest.mark.parametrize("read", [workbook, values])
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([*STAFF[:1], [], *STAFF[1:]], id="an empty row below the names"),
        pytest.param([*STAFF, [], ["王五", "财务部"], ["赵六", "财务部"]], id="an empty row between rows"),
        pytest.param([*THINGS, [], ["椅子", 4], ["合计", 12]], id="a total"),
        pytest.param([*THINGS, [], ["合计", "未知"]], id="a row of words below values"),
        pytest.param([*STAFF, [], [], ["注：在编人员"]], id="a note"),
        pytest.param([STAFF[0], ["一组"], STAFF[1], STAFF[1], ["二组"], STAFF[2], STAFF[2]], id="groups"),
        pytest.param([STAFF[0], ["一组"], STAFF[1], [], ["二组"], STAFF[2], STAFF[1]], id="groups set apart"),
        pytest.param([STAFF[0], [], ["一组"], *STAFF[1:], [], ["二组"], *STAFF[1:]], id="groups below empty rows"),
        pytest.param([["姓名"], [], ["张三"], ["李四"], [], ["王五"]], id="one column"),
        pytest.param([["张三"], [None, "李四"]], id="no row of two"),
        pytest.param([*THINGS, [], ["椅子", 2000], ["凳子", 4]], id="a number like a year"),
        pytest.param([["收入", 2023], ["一季度", 1], [], ["支出", 2024], ["一季度", 2]], id="no names"),
    ],
)
def test_one_table_stays_one(read: Callable[[Sequence[Row]], str], rows: Sequence[Row]) -> None:
    assert read(rows) == table(rows)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (STAFF, [["年龄", "电话"], [30, 139], [40, 137]]),
        (STAFF, [["备注"], [], [], ["离职"]]),
        ([["姓名"], ["张三"]], [*THINGS, ["椅子", 4]]),
        ([*STAFF, ["王五", "财务部"]], THINGS[:2]),
        ([*STAFF, ["王五", "财务部"]], [["备注", "状态"], [], ["离职", "已结"]]),
    ],
)
def test_an_empty_column_between_columns_of_one_table_goes(left: Sequence[Row], right: Sequence[Row]) -> None:
    (only,) = workbook(beside(left, right)).split("\n\n")
    assert only.splitlines()[0].count("|") == len(left[0]) + len(right[0]) + 1
    assert workbook(beside(left, right)) == values(beside(left, right))


def test_cells_over_an_empty_row_or_column_hold_a_table_together() -> None:
    book = Workbook()
    for row in beside(
        [["部门", "人"], ["甲", "张"], [], ["组", "员"], ["一", "李"]], [["部门", "数"], ["丙", 1], [], ["数", "量"]]
    ):
        book.active.append(row)
    parted = read_as_text(raw_document("a.xlsx", saved(book))).text
    book.active.merge_cells("B1:D1")
    book.active.merge_cells("A2:A4")
    held = read_as_text(raw_document("a.xlsx", saved(book))).text
    assert (parted.count("---"), held.count("---")) == (8, 4)


def test_each_table_of_a_sheet_has_its_title_and_the_places_of_its_cells() -> None:
    book = Workbook()
    book.active.title = "汇总"
    for row in [["员工"], *STAFF, [], ["设备"], *THINGS]:
        book.active.append(row)
    read = read_document(raw_document("a.xlsx", saved(book)))
    assert [(each.title, each.section, each.columns) for each in read.tables] == [
        ("员工", ("汇总", "员工"), ("姓名", "部门")),
        ("设备", ("汇总", "设备"), ("名称", "数量")),
    ]
    cells = [cell for each in read.tables for row in each.rows for cell in row.cells]
    assert [read.document.text[cell.start : cell.end] for cell in cells] == [cell.text for cell in cells]
    assert [cell.text for cell in cells] == ["张三", "研发部", "李四", "市场部", "电脑", "3", "桌子", "5"]


words = st.text("甲乙丙丁ab", min_size=1, max_size=3)
texts = words | st.integers(0, 3000).map(str)


@given(st.dictionaries(st.tuples(st.integers(1, 12), st.integers(1, 12)), texts, min_size=1))
def test_every_cell_is_written_once(cells: dict[tuple[int, int], str]) -> None:
    grid: dict[int, dict[int, str]] = {}
    for (row, column), text in cells.items():
        grid.setdefault(row, {})[column] = text
    lines = [line.removeprefix("## ") for line in sheet_text(grid).splitlines() if not line.startswith("| ---")]
    written = [cell.strip() for line in lines for cell in line.split("|")]
    assert sorted(filter(None, written)) == sorted(cells.values())


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A table of two columns or more, with a name for each, and two values or more in each row."""
    width = draw(st.integers(2, 4))
    names = draw(st.lists(words, min_size=width, max_size=width, unique=True))
    rows = st.tuples(texts, texts, *[texts | st.just("")] * (width - 2)).map(list)
    return [names, *draw(st.lists(rows, min_size=1, max_size=6))]


@given(tables(), st.integers(1, 3), st.integers(1, 3))
def test_rows_without_an_empty_one_between_are_one_table(rows: list[list[str]], top: int, left: int) -> None:
    grid = {at: {to: text for to, text in enumerate(row, left) if text} for at, row in enumerate(rows, top)}
    assert sheet_text(grid) == markdown_table(rows)


@given(st.lists(tables(), min_size=2, max_size=4), st.lists(st.integers(1, 3), min_size=4), st.integers(1, 3))
def test_tables_below_their_titles_are_as_many(some: list[list[list[str]]], lefts: list[int], gap: int) -> None:
    grid: dict[int, dict[int, str]] = {}
    expected, at = [], 0
    for number, (rows, left) in enumerate(zip(some, lefts, strict=False)):
        for row in [[f"第 {number} 个"], *rows]:
            at += 1
            grid[at] = {column: text for column, text in enumerate(row, left) if text}
        at += gap
        expected += [f"## 第 {number} 个", markdown_table(rows)]
    assert sheet_text(grid).split("\n\n") == expected
