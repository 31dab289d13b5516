"""Answers over the real guide, from the shipped models: every quote stands where its citation says."""

from typing import TYPE_CHECKING

import pytest

from kb.records import Answer

if TYPE_CHECKING:
    from api.services import Services
    from kb.settings import Settings

QUESTIONS = [
    "Mixtral 是什么类型的模型？",
    "P-Tuning v2 的内存使用怎么样？",
    "少样本学习的原理",
    "文本分类任务按什么顺序选微调方法？",
    "AutoProcessor 是做什么的？",
    "daphne 是什么服务器？",
    "怎样安装 peft？",
    "加载分词器用哪个类？",
    "LoRA 微调后的模型怎样加载？",
    "adapter 和基础模型怎样合并？",
    "PeftModel 的 merge_and_unload 有什么作用？",
    "Which class generates video from an image?",
    "What does WSGI lack compared with ASGI?",
    "Todo list 里有什么？",
    "为什么要微调模型？",
]


@pytest.fixture(scope="module")
def answers(services: "Services") -> list[Answer]:
    return [services.ask(question) for question in QUESTIONS]


def test_every_citation_is_its_quote_in_the_restored_document(services: "Services", answers: list[Answer]) -> None:
    citations = [citation for answer in answers for citation in answer.citations]
    assert len(citations) >= len(QUESTIONS)
    for citation in citations:
        text = services.store.document(citation.source).text
        assert text[citation.start : citation.end] == citation.quote != ""
        first, last = citation.lines
        assert citation.quote in "\n".join(text.split("\n")[first - 1 : last])


def test_every_hit_is_its_text_in_the_restored_document(services: "Services", answers: list[Answer]) -> None:
    for hit in (hit for answer in answers for hit in answer.hits):
        passage = hit.passage
        assert services.store.document(passage.document_id).text[passage.start : passage.end] == passage.text


def test_quotes_from_restored_text_say_how_sure_it_is(services: "Services", answers: list[Answer]) -> None:
    damaged = {info.name for info in services.store.documents() if info.damage}
    citations = [citation for answer in answers for citation in answer.citations]
    sure = [citation.restored for citation in citations if citation.source in damaged]
    assert any(confidence is not None for confidence in sure)
    assert all(confidence is None or 0 < confidence <= 1 for confidence in sure)
    assert all(citation.restored is None for citation in citations if citation.source not in damaged)


def test_marks_in_the_answer_are_its_citations(answers: list[Answer]) -> None:
    for answer in answers:
        assert [citation.n for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
        assert all(f"[{citation.n}]" in answer.text for citation in answer.citations)
        assert answer.abstained == (not answer.citations)


@pytest.mark.parametrize("question", ["明天上海会下雨吗？", "Who wrote Hamlet?"])
def test_says_so_when_the_guide_has_no_answer(services: "Services", question: str) -> None:
    answer = services.ask(question)
    assert answer.abstained
    assert answer.citations == ()
    assert answer.text in ("知识库里没有这个问题的答案。", "The knowledge base does not answer this.")


def test_plain_answer_uses_no_passages(services: "Services") -> None:
    answer = services.ask("LoRA 是什么？", mode="plain")
    assert (answer.mode, answer.citations, answer.hits) == ("plain", (), ())
    assert answer.usage.completion_tokens > 0


def test_comparison_has_four_variants_that_are_what_each_is_alone(services: "Services") -> None:
    question = "Mixtral 是什么类型的模型？"
    comparison = services.compare(question)
    assert [variant.name for variant in comparison.variants] == ["plain", "plain+adapter", "rag", "rag+adapter"]
    for variant in comparison.variants:
        alone = services.ask(question, mode=variant.answer.mode, adapter=variant.answer.adapter or "none")
        assert variant.answer.text == alone.text
        assert 0 <= variant.grounded <= 1
    plain, adapted, *_ = comparison.variants
    assert plain.answer.text != adapted.answer.text
    assert comparison.variants[2].grounded > 0.8


def test_pieces_of_a_stream_joined_are_the_answer(services: "Services") -> None:
    for mode in ("rag", "plain"):
        stream = services.stream("Mixtral 是什么类型的模型？", mode=mode)
        pieces = list(stream)
        assert "".join(pieces).strip() == stream.answer.text != ""


def test_prose_cites_only_what_stands_in_the_documents(guide_settings: "Settings") -> None:
    from api.services import Services

    with Services(guide_settings.model_copy(update={"style": "prose"})) as services:
        answer = services.ask("Mixtral 是什么类型的模型？")
        assert (answer.style, answer.mode, answer.abstained) == ("prose", "rag", False)
        assert answer.usage.completion_tokens > 0
        for citation in answer.citations:
            text = services.store.document(citation.source).text
            assert text[citation.start : citation.end] == citation.quote != ""
        assert services.ask("明天上海会下雨吗？").abstained


def test_leaving_a_stream_frees_the_model(services: "Services") -> None:
    stream = services.stream("LoRA 是什么？", mode="plain")
    assert next(iter(stream))
    stream.close()
    again = services.stream("LoRA 是什么？", mode="plain")
    assert again.answer.finish in ("stop", "length")
