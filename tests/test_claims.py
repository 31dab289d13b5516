"""What a model writes freely keeps only the citations that the cited passages bear out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.passages import split_passages
from kb.records import Document, Hit
from rag.claims import CheckedWriting
from tests.knowledge import document

GUIDE = document(
    "指南.md",
    "# 微调\n\nQLoRA 用 4bit 量化基础模型，再做 LoRA 微调，内存占用极低。\n\n"
    "# 合并\n\n调用 merge_and_unload() 把适配器合并到基础模型，之后用 save_pretrained 保存。\n",
)
HITS = [Hit(passage, 1.0, None, None) for passage in split_passages(GUIDE)]


def _document(_name: str) -> Document:
    return GUIDE


def _checked(text: str) -> CheckedWriting:
    writing = CheckedWriting(HITS, _document)
    writing.feed(text)
    writing.finish()
    return writing


def test_a_claim_that_its_passage_holds_keeps_its_citation() -> None:
    writing = _checked("QLoRA 先用 4bit 量化基础模型，再做 LoRA 微调。[1]")
    assert writing.text == "QLoRA 先用 4bit 量化基础模型，再做 LoRA 微调。 [1]"
    (citation,) = writing.citations
    assert citation.quote == GUIDE.text[citation.start : citation.end]
    assert "4bit" in citation.quote


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("QLoRA 用 8bit 量化基础模型，再做 LoRA 微调。[1]", "another number"),
        ("调用 merge_adapter() 把适配器合并到基础模型。[2]", "another identifier"),
        ("北京今天下午有小雨。[1]", "another subject"),
        ("QLoRA 用 4bit 量化基础模型。[2]", "the passage beside it"),
        ("QLoRA 用 4bit 量化基础模型。[7]", "no such passage"),
    ],
)
def test_a_claim_that_its_passage_does_not_hold_loses_it(claim: str, why: str) -> None:
    writing = _checked(claim)
    assert writing.text == re.sub(r"\[\d\]", "", claim), why
    assert writing.citations == []


def test_a_claim_in_another_language_is_held_to_its_identifiers() -> None:
    writing = _checked("Call merge_and_unload and then save_pretrained. [2] It costs 300 dollars. [2]")
    assert writing.text == "Call merge_and_unload and then save_pretrained. [1] It costs 300 dollars."


def test_citations_are_numbered_as_they_come() -> None:
    writing = _checked("用 merge_and_unload() 把适配器合并到基础模型。[2]QLoRA 内存占用极低。[1]合并到基础模型。[2]")
    assert [int(n) for n in re.findall(r"\[(\d)\]", writing.text)] == [1, 2, 1]
    assert [citation.n for citation in writing.citations] == [1, 2]


@given(st.text(alphabet="QLoRA 量化。.！\n[12]用基础模型极低4bit", max_size=80), st.data())
def test_however_a_text_comes_in_the_same_comes_out(text: str, data: st.DataObject) -> None:
    whole = _checked(text)
    pieces = CheckedWriting(HITS, _document)
    out, at = "", 0
    while at < len(text):
        step = data.draw(st.integers(1, 7))
        out += pieces.feed(text[at : at + step])
        at += step
    out += pieces.finish()
    assert out == pieces.text == whole.text
    assert pieces.citations == whole.citations
