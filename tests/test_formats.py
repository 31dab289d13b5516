"""Word, HTML and PDF documents, made as programs make them, as the Markdown that is taken in."""

import io
import zipfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from ingest.documents import read_document
from ingest.formats import read_as_text
from ingest.formats_pdf import Line, paragraphs, without_margins
from ingest.read import raw_document
from kb.errors import InputError

WORD = """<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{}</w:body></w:document>"""
CONTENT_TYPES = """<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Override PartName="/word/document.xml"
 ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"""
RELATIONSHIPS = """<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
 Target="word/document.xml"/>
</Relationships>"""
STYLES = """<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style></w:styles>"""


PASSWORD = "1234"  # noqa: S105


def text_of(data: bytes, name: str = "a.bin") -> str:
    return read_as_text(raw_document(name, data)).text


def word(body: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", CONTENT_TYPES)
        parts.writestr("_rels/.rels", RELATIONSHIPS)
        parts.writestr("word/styles.xml", STYLES)
        parts.writestr("word/document.xml", WORD.format(body))
    return packed.getvalue()


def paragraph(text: str, style: str = "", *, bold: bool = False) -> str:
    styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{styled}<w:r>{'<w:rPr><w:b/></w:rPr>' * bold}<w:t>{text}</w:t></w:r></w:p>"


def row(*cells: str) -> str:
    return "<w:tr>" + "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in cells) + "</w:tr>"


def pdf(pages: Sequence[Sequence[str]], outline: Sequence[str] = (), password: str = "") -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=A4, encrypt=StandardEncryption(password) if password else None)
    for lines in pages:
        canvas.setFont("STSong-Light", 12)
        for number, line in enumerate(lines):
            if line in outline:
                canvas.bookmarkPage(line)
                canvas.addOutlineEntry(line, line, 0)
            canvas.drawString(60, 780 - 20 * number, line)
        canvas.showPage()
    canvas.save()
    return written.getvalue()


def test_word_has_headings_paragraphs_and_tables() -> None:
    body = paragraph("微调方法", "1") + paragraph("LoRA 只训练 low_rank 矩阵。")
    body += f"<w:tbl>{row('方法', '显存')}{row('QLoRA', '极低')}</w:tbl>"
    read = read_as_text(raw_document("笔记.docx", word(body)))
    assert read.encoding == "docx"
    assert read.text == (
        "# 微调方法\n\nLoRA 只训练 low_rank 矩阵。\n\n| 方法 | 显存 |\n| --- | --- |\n| QLoRA | 极低 |\n"
    )


def test_a_word_documents_title_is_above_its_headings() -> None:
    body = paragraph("员工手册", "T") + paragraph("考勤", "1") + paragraph("九点到岗。") + paragraph("注意", bold=True)
    assert text_of(word(body)) == "# 员工手册\n\n## 考勤\n\n九点到岗。\n\n**注意**\n"


def test_bold_lines_are_headings_where_no_style_says_which_are() -> None:
    lines = [("报销办法", "T", False), ("财务部", "", True), ("一、住宿", "", True), ("按标准。", "", False)]
    lines += [("不得超标。", "", True), ("注意：", "", True), ("见下文。", "", False), ("完", "", True)]
    text = text_of(word("".join(paragraph(text, style, bold=bold) for text, style, bold in lines)))
    assert (
        text
        == "# 报销办法\n\n**财务部**\n\n## 一、住宿\n\n按标准。\n\n**不得超标。**\n\n**注意：**\n\n见下文。\n\n**完**\n"
    )


def test_a_cell_of_a_word_table_is_found_as_one_of_markdown() -> None:
    body = paragraph("微调方法", "1") + f"<w:tbl>{row('方法', '显存')}{row('QLoRA', '极低')}</w:tbl>"
    read = read_document(raw_document("笔记.docx", word(body)))
    assert read.document.title == "微调方法"
    assert [row.cells[1].text for table in read.tables for row in table.rows] == ["极低"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize(("name", "parted"), [("员工.csv", ","), ("员工.CSV", ";"), ("员工.tsv", "\t")])
def test_a_cell_of_a_csv_file_is_found_as_one_of_markdown(name: str, parted: str, encoding: str) -> None:
    rows = [["姓名", "部门", "备注"], ["张三", "研发部", "a|b"], [], ["李四", "市场部"]]
    rows += [['"王\n五"', "财务部", '"1,5;2"']]
    data = "".join(parted.join(row) + "\r\n" for row in rows).encode(encoding)
    read = read_document(raw_document(name, data))
    assert read.document.text.splitlines()[-1] == "| 王 五 | 财务部 | 1,5;2 |"
    (table,) = read.tables
    assert table.columns == ("姓名", "部门", "备注")
    assert [tuple(cell.text for cell in row.cells) for row in table.rows] == [
        ("张三", "研发部", "a|b"),
        ("李四", "市场部", ""),
        ("王 五", "财务部", "1,5;2"),
    ]


def test_a_csv_file_of_empty_rows_holds_no_text() -> None:
    with pytest.raises(InputError, match=r"^a\.csv: there is no text in it"):
        read_as_text(raw_document("a.csv", b",,\n,,\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_html_loses_what_is_not_its_text(encoding: str) -> None:
    page = (
        "<!DOCTYPE html>\n<html><head><title>站点</title><style>p{}</style></head><body><nav>首页 关于我们</nav>"
        "<h2>适配器</h2><p>只训练 <b>少量</b> 参数，其余参数都被冻结。</p><script>alert(1)</script>"
        "<ul><li>省显存</li><li>&lt;0.1%</li></ul><footer>版权所有</footer></body></html>"
    )
    read = read_as_text(raw_document("a.html", page.encode(encoding)))
    assert read.encoding == encoding
    assert read.text == "## 适配器\n\n只训练 **少量** 参数，其余参数都被冻结。\n\n- 省显存\n- <0.1%\n"


@pytest.mark.parametrize(
    "page",
    [
        "<html><head><title>站点</title><body><p>头部没有写完。</p></html>",  # as HTML allows
        "<html><body><form action=x><p>头部没有写完。</p><input value=按钮></form></body></html>",
    ],
)
def test_html_keeps_its_text_whatever_it_stands_in(page: str) -> None:
    assert text_of(page.encode()) == "头部没有写完。\n"


def test_markdown_with_html_in_it_stays_as_it_is() -> None:
    text = "# 标题\n\n<table><tr><td>a</td></tr></table>\n\n```html\n<!DOCTYPE html>\n```\n"
    assert text_of(text.encode()) == text


@pytest.mark.timeout(10)
def test_many_comments_before_the_text_take_no_time() -> None:
    comments = "<!-- a licence -->\n" * 200
    assert read_as_text(raw_document("a.md", f"{comments}# 标题\n".encode())).text.endswith("# 标题\n")
    page = f"{comments}<html><body><h1>标题</h1></body></html>"
    assert read_as_text(raw_document("a.html", page.encode())).text == "# 标题\n"


def test_a_pdf_has_its_paragraphs_whole_and_its_outline_as_headings() -> None:
    first = [
        "第一章 微调",
        "LoRA 把权重的更新分解为两个低秩矩阵，训练的时候只更新这两个小",
        "矩阵，其余的参数都被冻结。",
    ]
    second = ["参考资料", "Only a few parameters are trained, and all of the others are kept", "frozen."]
    read = read_as_text(raw_document("a.pdf", pdf([first, second], outline=["第一章 微调", "参考资料"])))
    assert (read.encoding, read.page_starts) == ("pdf", (1, 5))
    assert read.text == (
        "# 第一章 微调\n\nLoRA 把权重的更新分解为两个低秩矩阵，训练的时候只更新这两个小矩阵，其余的参数都被冻结。\n\n"
        "# 参考资料\n\nOnly a few parameters are trained, and all of the others are kept frozen.\n"
    )


def test_passages_know_their_page() -> None:
    pages = [[], ["封面。"], [], ["第一段。", "第二段。"], ["末段。"], []]
    read = read_document(raw_document("a.pdf", pdf(pages)))
    lines = read.document.text.split("\n")
    first, second, last = (lines.index(line) + 1 for line in ("第一段。", "第二段。", "末段。"))
    assert read.document.pages(1, 1) == (2, 2)
    assert read.document.pages(first, second) == (4, 4)
    assert read.document.pages(second, last) == (4, 5)
    assert [passage.pages for passage in read.passages] == [(2, 5)]
    titled = read_document(raw_document("b.pdf", pdf([["一", "甲甲。"], ["二", "乙乙。"]], outline=["一", "二"])))
    assert [(passage.section, passage.pages) for passage in titled.passages] == [(("一",), (1, 1)), (("二",), (2, 2))]
    assert {passage.pages for passage in read_document(raw_document("a.md", b"# a\n\nb\n")).passages} == {None}


def test_without_an_outline_large_lines_are_headings() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=A4)
    lines = [
        (24, "微调手册"),
        (18, "一、准备"),
        (12, "# 先安装依赖，再下载模型，然后检查显卡和驱动，最后确认磁盘够不够大。"),
        (18, "二、训练"),
        (12, "• 学习率先升后降，升的步数取总步数的百分之三。"),
    ]
    for number, (size, line) in enumerate(lines):
        canvas.setFont("STSong-Light", size)
        canvas.drawString(60, 780 - 40 * number, line)
    canvas.save()
    assert text_of(written.getvalue()).split("\n\n") == [
        "# 微调手册",
        "## 一、准备",
        "\\# 先安装依赖，再下载模型，然后检查显卡和驱动，最后确认磁盘够不够大。",
        "## 二、训练",
        "- 学习率先升后降，升的步数取总步数的百分之三。\n",
    ]


def test_a_table_of_contents_is_left_out() -> None:
    lines = ["1.1 控制台 . . . . . . . . . . 3", "附录 ........ xii", "等等……", "这样那样 …… 7", "版本 1.2.3.4"]
    assert text_of(pdf([lines])) == "等等……\n\n版本 1.2.3.4\n"


def test_what_stands_at_the_edge_of_every_page_is_none_of_its_text() -> None:
    pages = [["内部资料", f"第 {number} 页的内容在这里。", f"{number} / 4"] for number in range(1, 5)]
    assert text_of(pdf(pages)).split("\n\n") == [f"第 {number} 页的内容在这里。" for number in range(1, 4)] + [
        "第 4 页的内容在这里。\n"
    ]


BODY = Line("正文说的是这一页的事。", 12)


def first_lines(*texts: str, height: float = 12) -> list[str]:
    """What is left of these first lines of pages."""
    pages = [[Line(text, height), BODY, BODY, BODY] for text in texts]
    return [lines[0].text for lines in without_margins(pages) if lines[0] != BODY]


@pytest.mark.parametrize(
    "texts",
    [
        ["1", "2", "3"],
        ["12-13", "14-15", "16-17"],
        ["第 9 页", "第 10 页", "第 11 页"],
        ["Page 1 of 3", "Page 2 of 3", "Page 3 of 3"],
        ["微调手册", "1.2 准备", "微调手册"],
        ["8 微调手册", "第 1 章 准备 9", "10 微调手册", "第 1 章 准备 11"],
    ],
)
def test_heads_that_repeat_or_count_pages_go(texts: list[str]) -> None:
    assert set(first_lines(*texts)) <= {"1.2 准备"}


@pytest.mark.parametrize(
    "texts",
    [
        ["第 1 章", "第 2 章", "第 3 章"],
        ["Chapter 1", "Chapter 2", "Chapter 3"],
        ["步骤 1", "另一行", "步骤 2"],
        ["2021 年", "2023 年", "2025 年"],
    ],
)
def test_titles_that_differ_in_a_number_stay(texts: list[str]) -> None:
    assert first_lines(*texts) == texts


def test_large_titles_stay_and_what_repeats_a_title_goes() -> None:
    assert first_lines("步骤 1", "步骤 2", "步骤 3", height=20) == ["步骤 1", "步骤 2", "步骤 3"]
    assert first_lines("第 1 章", "第 1 章", "第 1 章", "第 2 章", "第 2 章") == ["第 1 章", "第 2 章"]
    pages = [[Line("微调", 20), BODY, BODY], *[[Line("微调", 9), BODY, BODY]] * 3]
    assert [lines[0].text for lines in without_margins(pages)] == ["微调", *[BODY.text] * 3]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (pdf([["秘密"]], password=PASSWORD), "needs a password"),
        (pdf([[]]), "there is no text in it.*OCR"),
        (pdf([["文字"]])[:200], "can't be read"),
        (word("")[:-30], "ZIP archive"),
        (word("<w:p>"), "can't be read"),
        (word(""), "no text in it"),
        (b"<html><body><script>1</script></body></html>", "no text in it"),
        (b"<html>" + b"<div>" * 20_000 + b"deep", "can't be read"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(data: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=f"^a.bin: .*{problem}"):
        text_of(data)


def test_a_word_document_that_unpacks_to_too_much_is_not_unpacked() -> None:
    with pytest.raises(InputError, match="unpacks to more than 30 MB"):
        text_of(word(" " * 40_000_000))


LINES = st.lists(st.text("微调ab 。-1", min_size=1, max_size=12).map(str.strip).filter(bool), max_size=8)


@given(LINES)
def test_joining_lines_changes_white_space_alone(lines: list[str]) -> None:
    assert "".join(paragraphs(lines).split()) == "".join("".join(lines).split())


@given(st.lists(LINES.map(lambda lines: [Line(line, 12) for line in lines]), max_size=6))
def test_of_each_page_at_most_the_first_and_the_last_line_go(pages: list[list[Line]]) -> None:
    for before, after in zip(pages, without_margins(pages), strict=True):
        assert after in [before, before[1:], before[:-1], before[1:-1]]
