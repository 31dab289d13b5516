"""Workbooks, presentations and books, made by the libraries that make them, as the Markdown that is taken in."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.documents import read_document
from ingest.formats import read_as_text
from ingest.read import Decoded, raw_document
from kb.errors import InputError
from tests.packed import SHEET, book, page, saved, string_cell, with_part, zipped


def text_of(data: bytes, name: str = "a.bin") -> str:
    return read_as_text(raw_document(name, data)).text


def sheet(*rows: list[Any], merged: tuple[str, ...] = ()) -> Workbook:
    workbook = Workbook()
    workbook.active.title = "业绩"
    for row in rows:
        workbook.active.append(row)
    for cells in merged:
        workbook.active.merge_cells(cells)
    return workbook


def test_each_sheet_is_a_heading_and_a_table_without_empty_rows_and_columns() -> None:
    workbook = Workbook()
    workbook.active.title = "人员"
    for place, value in {"C3": "姓名", "D3": "部门", "F3": "备注", "C5": "张三", "F5": "a|b\nc"}.items():
        workbook.active[place] = value
    workbook.create_sheet("空")
    workbook.create_sheet("清单").append(["一列"])
    workbook.create_sheet("藏").append(["秘密"])
    workbook["藏"].sheet_state = "hidden"
    read = read_as_text(raw_document("员工.xlsx", saved(workbook)))
    assert read.encoding == "xlsx"
    assert read.text == (
        "# 人员\n\n| 姓名 | 部门 | 备注 |\n| --- | --- | --- |\n| 张三 |  | a\\|b c |\n\n# 清单\n\n| 一列 |\n| --- |\n"
    )


def test_a_cell_of_a_workbook_is_found_as_one_of_markdown() -> None:
    read = read_document(raw_document("2024/员工.xlsx", saved(sheet(["姓名", "部门"], ["张三", "研发部"]))))
    assert read.document.title == "员工"
    (table,) = read.tables
    (row,) = table.rows
    assert (table.title, table.columns, [cell.text for cell in row.cells]) == (
        "业绩",
        ("姓名", "部门"),
        ["张三", "研发部"],
    )
    assert [read.document.text[cell.start : cell.end] for cell in row.cells] == ["张三", "研发部"]


@pytest.mark.parametrize(
    ("value", "number_format", "written"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (1234567.5, "#,##0.00", "1234567.5"),
        (3.0, "General", "3"),
        (1.2e17, "General", "120000000000000000"),
        (-2.5e-7, "General", "-2.5e-07"),
        (0.155, "0%", "15.5%"),
        (7, "00000", "00007"),
        (True, "General", "TRUE"),
        (date(2024, 3, 1), "yyyy-mm-dd", "2024-03-01"),
        (datetime(2024, 3, 1, 14, 30), "yyyy/m/d h:mm", "2024-03-01 14:30"),
        (datetime(2024, 3, 1, 14, 30, 5), "yyyy/m/d h:mm:ss", "2024-03-01 14:30:05"),
        (time(9, 5), "h:mm", "09:05"),
        (timedelta(hours=26, minutes=5), "[h]:mm", "26:05"),
        ("=A1+1", "General", ""),
    ],
)
def test_values_are_written_as_a_person_writes_them(value: Any, number_format: str, written: str) -> None:
    workbook = sheet(["名", "值"], ["甲", value])
    workbook.active["B2"].number_format = number_format
    assert text_of(saved(workbook)).splitlines()[-1] == f"| 甲 | {written} |"


def test_headers_over_several_columns_name_each_and_a_title_stands_above_the_table() -> None:
    workbook = sheet(
        ["2024 年业绩"],
        [],
        ["部门", "上半年", None, "下半年"],
        [None, "收入", "利润", "收入", "利润"],
        ["研发部", 1, 2, 3, 4],
        [None, 5, 6, 7, 8],
        ["合计见附表"],
        merged=("A1:E1", "A3:A4", "B3:C3", "D3:E3", "A5:A6", "A7:E7"),
    )
    table = (
        "| 部门 | 上半年 收入 | 上半年 利润 | 下半年 收入 | 下半年 利润 |\n| --- | --- | --- | --- | --- |\n"
        "| 研发部 | 1 | 2 | 3 | 4 |\n| 研发部 | 5 | 6 | 7 | 8 |\n| 合计见附表 |  |  |  |  |\n"
    )
    assert text_of(saved(workbook)) == f"# 业绩\n\n2024 年业绩\n\n{table}"


def test_a_row_below_a_wide_header_is_one_of_values_where_others_are_named_too() -> None:
    workbook = sheet(["# 名单"], ["姓名", "联系方式"], ["张三", "1-2", "a@b"], ["李四", "3-4"], merged=("B2:C2",))
    assert text_of(saved(workbook)).split("\n\n")[1:] == [
        "\\# 名单",
        "| 姓名 | 联系方式 | 联系方式 |\n| --- | --- | --- |\n| 张三 | 1-2 | a@b |\n| 李四 | 3-4 |  |\n",
    ]


def test_a_sheet_that_claims_to_be_large_is_as_large_as_its_cells() -> None:
    far = f'<row r="1">{string_cell("A1")}</row><row r="1048576">{string_cell("XFD1048576")}</row>'
    merged = '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    data = with_part(saved(Workbook()), "xl/worksheets/sheet1.xml", SHEET.format(far, merged))
    assert text_of(data) == "# Sheet\n\n| x | x |\n| --- | --- |\n| x | x |\n"


def presentation(build: Callable[[Any], None]) -> Decoded:
    deck = Presentation()
    build(deck)
    return read_as_text(raw_document("汇报.pptx", saved(deck)))


def test_slides_are_pages_with_titles_lists_and_notes() -> None:
    def build(deck: Any) -> None:
        opening = deck.slides.add_slide(deck.slide_layouts[0])
        opening.shapes.title.text, opening.placeholders[1].text = "季度汇报", "张三\n# 研发部\nC# 组"
        deck.slides.add_slide(deck.slide_layouts[6])
        points = deck.slides.add_slide(deck.slide_layouts[1])
        points.shapes.title.text = "要\n点"
        points.placeholders[1].text = "第一\n细节\n第二"
        points.placeholders[1].text_frame.paragraphs[1].level = 4
        points.notes_slide.notes_text_frame.text = "讲稿。"
        hidden = deck.slides.add_slide(deck.slide_layouts[5])
        hidden.shapes.title.text = "藏"
        hidden.element.set("show", "0")
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "谢谢"

    read = presentation(build)
    assert read.encoding == "pptx"
    assert read.text == (
        "# 季度汇报\n\n张三\n\n\\# 研发部\n\nC# 组\n\n## 要 点\n\n- 第一\n   - 细节\n- 第二\n\n讲稿。\n\n## 谢谢\n"
    )
    assert [read.text.splitlines()[line - 1] for line in (read.page_starts[n] for n in (0, 2, 4))] == [
        "# 季度汇报",
        "## 要 点",
        "## 谢谢",
    ]


def test_shapes_are_read_from_top_to_bottom_and_from_left_to_right() -> None:
    def build(deck: Any) -> None:
        shapes = deck.slides.add_slide(deck.slide_layouts[6]).shapes
        for left, top, text in [(5, 3, "右。"), (1, 3.02, "左。"), (1, 1, "没有占位符的标题"), (1, 6, "下。")]:
            shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1)).text_frame.text = text
        group = shapes.add_group_shape()
        group.shapes.add_textbox(Inches(1), Inches(5), Inches(2), Inches(1)).text_frame.text = "组里。"

    assert presentation(build).text == "## 没有占位符的标题\n\n左。\n\n右。\n\n组里。\n\n下。\n"


def test_numbered_items_count_and_tables_are_tables() -> None:
    def build(deck: Any) -> None:
        shapes = deck.slides.add_slide(deck.slide_layouts[6]).shapes
        frame = shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1)).text_frame
        frame.text = "步骤：\n下载\n训练"
        for paragraph in frame.paragraphs[1:]:
            properties = paragraph._p.get_or_add_pPr()
            properties.append(properties.makeelement(properties.tag.replace("pPr", "buAutoNum"), {}))
        table = shapes.add_table(3, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
        for number, text in enumerate(["方法", "显存", "LoRA", "低", "", "极低"]):
            table.cell(number // 2, number % 2).text = text
        table.cell(1, 0).merge(table.cell(2, 0))

    assert presentation(build).text == (
        "## 步骤：\n\n1. 下载\n2. 训练\n\n| 方法 | 显存 |\n| --- | --- |\n| LoRA | 低 |\n| LoRA | 极低 |\n"
    )


def test_a_chart_is_a_table_of_its_values() -> None:
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["一季度", "二季度"]
    data.add_series("收入", (1.5, 2))
    data.add_series("利润", (0.1, None))

    def build(deck: Any) -> None:
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = "业绩"
        sizes = (Inches(1), Inches(2), Inches(4), Inches(3))
        chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *sizes, data).chart
        chart.chart_title.text_frame.text = "季度（亿元）"

    rows = "|  | 收入 | 利润 |\n| --- | --- | --- |\n| 一季度 | 1.5 | 0.1 |\n| 二季度 | 2 |  |\n"
    assert presentation(build).text == f"## 业绩\n\n季度（亿元）\n\n{rows}"


def test_chapters_come_in_their_order_without_cover_and_contents() -> None:
    read = read_document(raw_document("书.epub", book()))
    assert read.document.encoding == "epub"
    assert read.document.title == "低秩之书"
    assert read.document.text == "# 第一章\n\n正文 **粗**。\n\n# 第二章\n\n没有<标题>的正文。\n"
    assert {passage.section for passage in read.passages} == {("第一章",), ("第二章",)}


def test_an_older_book_is_titled_by_its_ncx() -> None:
    ncx = "<ncx><navMap><navPoint><navLabel><text>旧目录</text></navLabel>{}</navPoint></navMap></ncx>"
    parts = {"OEBPS/nav.xhtml": page(""), "OEBPS/toc.ncx": ncx.format('<content src="text/a%20b.xhtml#p"/>')}
    assert "# 旧目录\n\n没有<标题>的正文。" in text_of(book(**parts))


LOCK = '<encryption><CipherReference URI="OEBPS/{}"/></encryption>'


def test_a_book_whose_fonts_alone_are_locked_is_read() -> None:
    assert text_of(book(**{"META-INF/encryption.xml": LOCK.format("font.otf")})).startswith("# 第一章")


def diagonal(cells: int) -> str:
    rows = (f'<row r="{n}">{string_cell(f"{get_column_letter(n)}{n}")}</row>' for n in range(1, cells + 1))
    return SHEET.format("".join(rows), "")


def far_to_the_right(rows: int) -> str:
    return SHEET.format("".join(f'<row r="{n}">{string_cell(f"XFD{n}")}</row>' for n in range(1, rows + 1)), "")


def encrypted(data: bytes) -> bytes:
    """With the bit set in each part's flags that says that it is encrypted."""
    return data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")


ONE = f'<row r="1">{string_cell("A1")}</row>'
OVER = "<mergeCells>" + '<mergeCell ref="A1:XFD1048576"/>' * 1000 + "</mergeCells>"
EMPTY = saved(Workbook())


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (with_part(EMPTY, "xl/worksheets/sheet1.xml", diagonal(1500)), "1,500 rows by 1,500 columns.*Split it"),
        (
            with_part(EMPTY, "xl/worksheets/sheet1.xml", SHEET.format(f'{ONE}<row r="{10**12}">{ONE}</row>', "")),
            "more than 1,048,576 rows. Split it",
        ),
        (with_part(EMPTY, "xl/worksheets/sheet1.xml", SHEET.format(ONE, OVER)), "merged cells lie over each other"),
        (with_part(EMPTY, "xl/worksheets/sheet1.xml", far_to_the_right(6200)), "far to the right in too many rows"),
        (with_part(EMPTY, "xl/worksheets/sheet1.xml", "<worksheet"), "can't be read"),
        (with_part(EMPTY, "xl/worksheets/sheet1.xml", '<!DOCTYPE w [<!ENTITY a "b">]><w/>'), "declares entities"),
        (with_part(EMPTY, "xl/worksheets/sheet1.xml", " " * 31_000_000), "unpacks to more than 30 MB"),
        (EMPTY, "no text in it. If its cells are formulas"),
        (EMPTY[:-30], "damaged"),
        (encrypted(EMPTY), "needs a password"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "needs a password"),
        (zipped({"xl/workbook.xml": "<x/>", "[Content_Types].xml": "<Types/>"}), "can't be read"),
        (saved(Presentation()), "no text in it. If its slides are pictures"),
        (with_part(saved(Presentation()), "ppt/presentation.xml", "<p"), "can't be read"),
        (with_part(saved(Presentation()), "ppt/presentation.xml", " " * 31_000_000), "unpacks to more than 30 MB"),
        (zipped({"ppt/presentation.xml": "<x/>", "[Content_Types].xml": "<Types/>"}), "can't be read"),
        (zipped({"META-INF/container.xml": "<container/>"}), r"its part content\.opf is missing"),
        (book(**{"OEBPS/content.opf": "<package/>"}), "no text in it"),
        (book(**{"OEBPS/text/b.xhtml": page("<p>" * 20_000)}), "can't be read"),
        (book(**{"META-INF/encryption.xml": LOCK.format("text/b.xhtml")}), "locked by its seller"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(data: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=f"^a.bin: .*{problem}") as raised:
        text_of(data)
    assert "\n" not in str(raised.value)


def test_entities_of_a_book_stay_what_they_are() -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + page("<h1>题</h1><p>&b;</p>").partition("?>")[2]
    assert "ha" not in text_of(book(**{"OEBPS/text/b.xhtml": bomb}))
    outside = '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + page("<p>&a;</p>").partition("?>")[2]
    assert "root" not in text_of(book(**{"OEBPS/text/b.xhtml": outside}))


@pytest.mark.parametrize("name", ["a.docx", "a.XLSX", "a.pptx", "a.epub"])
def test_a_document_that_is_cut_off_is_told_from_an_archive(name: str) -> None:
    with pytest.raises(InputError, match=rf"^{name}: it is damaged or cut off\. Save it again"):
        text_of(book()[:-30], name)


def test_a_zip_without_a_document_stays_an_archive() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.md", "# a")
    with pytest.raises(InputError, match="a ZIP archive"):
        text_of(packed.getvalue())
