"""What people see in a terminal."""

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from api.render import UNLIMITED, show_answer, show_comparison, show_documents, show_ingested, show_passages
from api.render_repairs import show_repairs
from api.render_tables import show_table, show_tables
from api.schemas import (
    AskReply,
    CitationOut,
    CompareReply,
    DocumentList,
    DocumentRow,
    IngestedOut,
    PassageOut,
    SearchReply,
    UsageOut,
    VariantOut,
)
from api.schemas_repairs import DocumentOut
from api.schemas_tables import RowOut, TableList, TableOut
from kb.records import Document, Repair

THRESHOLD = 0.9
VARIANTS = ("plain", "plain+adapter", "rag", "rag+adapter")


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def pipe() -> Console:
    return Console(file=io.StringIO(), highlight=False, markup=False)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def passage(text: str) -> PassageOut:
    return PassageOut(
        rank=1,
        score=0.0325,
        dense=0.5,
        lexical=None,
        text=text,
        source="a.md",
        section=("模型", "LLaMA"),
        kind="prose",
        start=0,
        end=len(text),
        lines=(3, 4),
    )


def citation(restored: float | None = None, lines: tuple[int, int] = (3, 4)) -> CitationOut:
    return CitationOut(
        n=1, quote="q", source="a.md", section=("模型", "LLaMA"), start=0, end=1, lines=lines, restored=restored
    )


def found(question: str, *passages: PassageOut) -> SearchReply:
    return SearchReply(
        id=None, question=question, passages=passages, timings_ms={}, answerable=0.9, understood=question
    )


def answer(question: str, *citations: CitationOut) -> AskReply:
    return AskReply(
        id=None,
        question=question,
        answer="[bold]2024 [1]",
        abstained=False,
        mode="rag",
        style="quote",
        model="m",
        adapter=None,
        citations=citations,
        passages=(),
        usage=UsageOut(prompt_tokens=1, completion_tokens=0),
        timings_ms={},
        answerable=0.9,
        understood=question,
    )


def comparison(text: str, *citations: CitationOut) -> CompareReply:
    variants = [
        VariantOut(
            variant=name, answer=text, abstained=False, citations=citations, grounded=0.925, seconds=1.25, tokens=7
        )
        for name in VARIANTS
    ]
    return CompareReply(id=None, question="什么？", seed=0, answers=tuple(variants))


@pytest.mark.parametrize(
    ("question", "answerable", "told"),
    [
        ("什么？", 0.4, "\n也许有关\na.md · 第 3–4 行 · 模型 › LLaMA\n"),
        ("What?", 0.4, "\nPerhaps of use\na.md · lines 3–4 · 模型 › LLaMA\n"),
        ("What?", 0.1, ""),
    ],
)
def test_where_there_is_no_answer_the_nearest_passages_are_told(question: str, answerable: float, told: str) -> None:
    console = pipe()
    none = answer(question).model_copy(update={"passages": (passage("x"),), "answerable": answerable})
    show_answer(console, none, threshold=THRESHOLD)
    assert shown(console) == f"[bold]2024 [1]\n{told}"


def test_a_question_that_was_read_otherwise_says_so() -> None:
    console = pipe()
    show_passages(console, found("BRET?").model_copy(update={"understood": "BERT?"}))
    show_answer(
        console, answer("什么是 BRET？").model_copy(update={"understood": "什么是 BERT？"}), threshold=THRESHOLD
    )
    said = shown(console)
    assert "(looked for “BERT?”)\n" in said
    assert "（按“什么是 BERT？”查找）\n" in said


def test_a_hit_shows_where_it_stands_and_its_score() -> None:
    console = pipe()
    show_passages(console, found("什么？", *(passage("一\n二"),)))
    assert shown(console) == " 1. a.md:3-4  模型 › LLaMA  0.0325\n    一\n    二\n\n"


@pytest.mark.parametrize(("question", "said"), [("什么？", "没有找到相关段落。"), ("What?", "No passage found.")])
def test_no_hit_is_said_in_the_language_of_the_question(question: str, said: str) -> None:
    console = pipe()
    show_passages(console, found(question, *()))
    assert shown(console) == f"{said}\n"


def test_a_long_line_is_not_broken_in_a_pipe() -> None:
    console, text = pipe(), "字" * 500
    show_passages(console, found("什么？", *(passage(text),)))
    assert text in shown(console)


@pytest.mark.parametrize(
    ("question", "source"),
    [("什么？", "[1] a.md · 第 3–4 行 · 模型 › LLaMA\n"), ("What?", "[1] a.md · lines 3–4 · 模型 › LLaMA\n")],
)
def test_an_answer_is_followed_by_its_sources(question: str, source: str) -> None:
    console = pipe()
    show_answer(console, answer(question, citation()), threshold=THRESHOLD)
    assert shown(console).startswith("[bold]2024 [1]\n")
    assert shown(console).endswith(source)


@pytest.mark.parametrize(
    ("question", "pages", "page"),
    [
        ("什么？", (7, 7), "第 7 页"),
        ("What?", (7, 7), "page 7"),
        ("什么？", (7, 9), "第 7–9 页"),
        ("What?", (7, 9), "pages 7–9"),
    ],
)
def test_what_stands_on_a_page_is_shown_with_it(question: str, pages: tuple[int, int], page: str) -> None:
    console = pipe()
    paged = passage("一").model_copy(update={"source": "a.pdf", "pages": pages})
    show_passages(console, found(question, *(paged,)))
    assert shown(console).startswith(f" 1. a.pdf · {page}  模型 › LLaMA")
    console = pipe()
    untitled = citation().model_copy(update={"source": "a.pdf", "section": (), "pages": pages})
    show_answer(console, answer(question, untitled), threshold=THRESHOLD)
    assert shown(console).endswith(f"[1] a.pdf · {page}\n")


def test_a_source_with_inferred_characters_is_marked() -> None:
    console = pipe()
    show_answer(console, answer("What?", citation(restored=0.9989, lines=(3, 3))), threshold=THRESHOLD)
    assert "line 3 · 模型 › LLaMA · inferred characters, ≥ 0.99 sure" in shown(console)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("什么？", "第 3–4 行 · 模型 › LLaMA · 存疑：含推断还原的字，置信度仅 0.89\n"),
        ("What?", "lines 3–4 · 模型 › LLaMA · doubtful: an inferred character is only 0.89 sure\n"),
    ],
)
def test_a_source_with_a_doubtful_character_says_so(question: str, said: str) -> None:
    console = pipe()
    show_answer(console, answer(question, citation(restored=0.8999)), threshold=THRESHOLD)
    assert shown(console).endswith(said)


def test_the_threshold_decides_what_is_doubtful() -> None:
    console = pipe()
    show_answer(console, answer("What?", citation(restored=0.8999)), threshold=0.8)
    assert "doubtful" not in shown(console)


def test_a_doubtful_source_stands_out_in_colour() -> None:
    console = Console(file=io.StringIO(), width=160, force_terminal=True, color_system="standard")
    show_comparison(console, comparison("答案", citation(restored=0.5)), threshold=THRESHOLD)
    assert shown(console).count("\x1b[1;2;31m存疑") == 4


def test_an_answer_without_citations_has_no_list_of_sources() -> None:
    console = pipe()
    show_answer(console, answer("What?"), threshold=THRESHOLD)
    assert shown(console) == "[bold]2024 [1]\n"


def test_four_answers_stand_side_by_side_where_there_is_room() -> None:
    console = terminal(160)
    show_comparison(console, comparison("答案"), threshold=THRESHOLD)
    assert any(line.count("答案") == 4 for line in shown(console).splitlines())


def test_no_answer_is_cut_short_where_it_stands_beside_others() -> None:
    console, text = terminal(160), "一二三四五六七八九十" * 20
    show_comparison(console, comparison(f"见 {text}"), threshold=THRESHOLD)
    assert "…" not in shown(console)
    assert shown(console).count("九") == 4 * 20


@pytest.mark.parametrize("console", [terminal(80), pipe()], ids=["narrow", "pipe"])
def test_four_answers_follow_one_another_where_there_is_not(console: Console) -> None:
    show_comparison(console, comparison("答案"), threshold=THRESHOLD)
    lines = shown(console).splitlines()
    assert lines.count("答案") == 4
    assert lines[0] == "── 不检索，无适配器 · 有据 92% · 1.2 秒 · 7 个词元"


def test_a_document_cannot_steer_the_terminal() -> None:
    console = pipe()
    show_passages(console, found("?", *(passage("a\x1b[2J\x9bb\tc"),)))
    assert "    a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b" in shown(console)


def test_what_was_ingested_tells_its_damage() -> None:
    console = pipe()
    show_ingested(
        console,
        IngestedOut(
            name="a.md", document_id="1", status="added", passages=3, repairs=2, damage=("cp1254",), error=None
        ),
    )
    assert shown(console) == "added     a.md  3 passages, mojibake restored (cp1254), 2 places inferred\n"


def test_documents_stand_in_columns_whatever_their_names() -> None:
    console = pipe()
    facts: dict[str, Any] = {"title": "", "sha256": "", "encoding": "utf-8", "passages": 1, "damage": (), "repairs": 0}
    rows = [DocumentRow(id=name, name=name, chars=12, **facts) for name in ("指南.md", "notes.md")]
    show_documents(console, DocumentList(documents=tuple(rows)))
    first, second = shown(console).splitlines()
    assert first == f"指南.md {12:>11} characters, 1 passage, utf-8"
    assert cell_len(first) == cell_len(second)


def test_an_empty_knowledge_base_says_what_to_do() -> None:
    console = pipe()
    show_documents(console, DocumentList(documents=()))
    assert "`guide ingest`" in shown(console)


def test_repairs_are_shown_with_their_line_and_alternatives_and_doubtful_ones_are_marked() -> None:
    console = pipe()
    repairs = (Repair(3, 4, "æ", "文", 0.98765, ("日", "月")), Repair(4, 5, "å", "字", 0.5))
    document = Document("1", "a.md", "a", "一\n二文字", "utf-8", "0", ("x",), repairs)
    show_repairs(console, DocumentOut.of(document, THRESHOLD))
    assert shown(console) == "a.md:2  æ → 文  0.988  (or 日, 月)\na.md:2  å → 字  0.500  doubtful\n"


def table(columns: tuple[str, ...], *rows: tuple[str, ...]) -> TableOut:
    out = tuple(RowOut(cells=row, spans=((0, 1),) * len(row), start=0, end=1, lines=(3, 3)) for row in rows)
    return TableOut(
        id="abc-1",
        document_id="abc",
        source="a.md",
        kind="table",
        title="表（b）",
        section=("模型", "LLaMA"),
        columns=columns,
        lines=(3, 9),
        rows=out,
    )


def test_a_table_fits_a_narrow_terminal_and_keeps_short_words_whole() -> None:
    console = terminal(80)
    text = "微调大模型用的方法，" * 20
    show_table(console, table(("名称", "说明", "参数"), ("LoRA", text, "alpha=16-32"), ("\x1b[2J", "", "r=8")))
    lines = shown(console).splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    assert any("LoRA" in line and "alpha=16-32" in line for line in lines)
    assert "\x1b[2J" not in shown(console)
    assert "表（b）" in lines[0]


def test_a_table_of_many_columns_is_shown_row_by_row() -> None:
    console = terminal(80)
    columns = tuple(f"第{number}列的名字" for number in range(12))
    show_table(console, table(columns, tuple(f"第{number}格里的文字" for number in range(12))))
    assert "第11列的名字  第11格里的文字" in shown(console)


def test_a_table_in_a_pipe_is_never_wrapped() -> None:
    console = pipe()
    console.width = UNLIMITED
    show_table(console, table(("名称", "说明"), ("LoRA", "低秩" * 200)))
    assert "低秩" * 200 in shown(console)


def test_tables_are_listed_below_their_documents() -> None:
    console = pipe()
    show_tables(console, TableList(tables=(table(("a",), ("1",), ("2",)),)))
    assert shown(console) == "a.md\n  abc-1     2×1  表（b）\n"
    show_tables(console, TableList(tables=()))
    assert "guide ingest" in shown(console)
