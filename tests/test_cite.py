"""Citations point at the letter; what was inferred is said."""

from dataclasses import replace

import pytest

from kb.errors import NotFoundError
from kb.records import Document, Hit, Passage, Repair
from rag.cite import cite, lowest_confidence, reading
from rag.metrics import grounded
from rag.pieces import pieces

TEXT = "# 题\n\n第一行。\n低秩分解好。第三句。\n"
REPAIRS = (Repair(10, 11, "ä½", "低", 0.97, ("你",)), Repair(13, 14, "åˆ", "解", 0.8))
DOCUMENT = Document("d", "题.md", "题", TEXT, "utf-8", "00", ("cp1254_dropped",), REPAIRS)


def hit_on(start: int, end: int) -> Hit:
    passage = Passage("p", "d", "题.md", "prose", TEXT[start:end], ("题",), start, end, 3, 4)
    return Hit(passage, 1.0, None, None)


def test_quote_stands_in_the_document_at_its_span_and_lines() -> None:
    first, second, third = pieces([hit_on(5, len(TEXT))])
    citation = cite(2, second, DOCUMENT)
    assert citation.quote == TEXT[citation.start : citation.end] == "低秩分解好。"
    assert citation.lines == (4, 4)
    assert citation.restored == 0.8
    assert cite(1, first, DOCUMENT).restored is None
    assert cite(3, third, DOCUMENT).restored is None


def test_a_citation_has_its_page_where_there_are_pages() -> None:
    piece = pieces([hit_on(5, len(TEXT))])[1]
    assert cite(1, piece, DOCUMENT).pages is None
    assert cite(1, piece, replace(DOCUMENT, page_starts=(1, 3, 4, 6))).pages == (3, 3)


def test_a_document_that_was_replaced_or_deleted_meanwhile_is_quoted_as_it_was_found() -> None:
    piece = pieces([hit_on(5, len(TEXT))])[1]
    for document in (None, replace(DOCUMENT, text="另一篇，很短。")):
        citation = cite(1, piece, document)
        assert (citation.quote, citation.source, citation.lines) == ("低秩分解好。", "题.md", (4, 4))
        assert citation.restored is None


def test_each_document_is_read_once_and_may_be_gone() -> None:
    asked: list[str] = []

    def document(name: str) -> Document:
        asked.append(name)
        if name == "gone":
            raise NotFoundError("There is none.")
        return DOCUMENT

    read = reading(document)
    assert [read("d"), read("d"), read("gone")] == [DOCUMENT, DOCUMENT, None]
    assert asked == ["d", "gone"]


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0, 10, None), (10, 11, 0.97), (11, 13, None), (9, 14, 0.8), (14, 20, None)]
)
def test_lowest_confidence_counts_only_what_is_inside(start: int, end: int, expected: float | None) -> None:
    assert lowest_confidence(DOCUMENT, start, end) == expected


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("低秩分解 [1]", 1.0),
        ("低秩分解abcd", 0.5),
        ("完全是编造的", 0.0),
        ("**低秩** 分解：更新。", 1.0),
        ("", 0.0),
        ("低秩分", 0.0),
    ],
)
def test_grounded_share_of_an_answer(answer: str, share: float) -> None:
    assert grounded(answer, "LoRA 用低秩分解更新权重") == share
