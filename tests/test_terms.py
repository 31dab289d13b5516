"""The analyser: what Chinese, English and code are found by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.terms import content_words, incidental, terms


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("merge_and_unload 怎么用", "merged_model = model.merge\\_and\\_unload()"),
        ("P-Tuning v2", "| **P-Tuning v2** | 提示微调 |"),
        ("ptuning", "P-Tuning"),
        ("peft>=0.8.0", "如果当前环境下的peft>=0.8.0，"),
        ("0.8.0", "需要降级peft<0.8.0或"),
        ("causal", "AutoModelForCausalLM"),
        ("AutoModelForCausalLM", "automodelforcausallm"),
        ("llama3", "LLaMA 3"),
        ("4-bit", "4bit量化"),
        ("parameters", "the parameter"),
        ("Ｑｗｅｎ", "Qwen-7B"),
        ("适配器", "多个适配器融合"),
        ("参数高效微调", "参数高效的微调方法"),
    ],
)
def test_what_is_asked_meets_what_is_written(question: str, passage: str) -> None:
    assert set(terms(question)) & set(terms(passage))


def test_identifiers_stay_whole_beside_their_parts() -> None:
    assert terms("get_base_model") == ["get_base_model", "getbasemodel", "get", "base", "model"]
    assert "openchat-mistral" in terms("OpenChat-Mistral")
    assert {"automodelforseq2seqlm", "auto", "model", "seq"} <= set(terms("AutoModelForSeq2SeqLM"))


def test_chinese_gives_bigrams_and_long_words() -> None:
    assert terms("自然语言处理") == ["自然", "然语", "语言", "言处", "处理", "自然语言"]


def test_function_words_say_nothing() -> None:
    assert terms("什么是 the 的吗？") == []
    assert terms("LoRA 的原理是什么") == terms("LoRA原理")
    assert terms("What does it do?") == []
    assert terms("一共要多长时间？") == []


def test_content_words_are_whole_and_no_question_words() -> None:
    assert content_words("怎么用 merge_and_unload 合并权重？") == ["用", "merge_and_unload", "合并", "权重"]
    assert content_words("What is the Mixtral router?") == ["Mixtral", "router"]


def test_a_single_character_is_a_term_where_nothing_stands_beside_it() -> None:
    assert terms("内存使用：低") == ["内存", "存使", "使用", "低"]


def test_a_link_is_found_by_what_is_read_of_it() -> None:
    assert terms("[文档](https://example.org/how-to-load)") == ["文档"]
    assert "https://example.org/how-to-load" in terms("见 https://example.org/how-to-load")


def test_punctuation_and_emptiness_have_no_terms() -> None:
    assert terms("") == terms("|---|---| … ¥ 😀 __ --") == []


@given(st.text(max_size=200))
def test_any_text_has_terms_that_are_lower_case_and_not_empty(text: str) -> None:
    for term in terms(text):
        assert term == term.casefold() != ""
        assert not term.isspace()


@given(st.text(alphabet="微调LoRA peft_v2.0-的", max_size=60))
def test_a_text_finds_itself_between_other_texts(text: str) -> None:
    assert set(terms(text)) <= set(terms(f"前言。 {text} 。后记"))


def test_pairs_across_words_and_identifiers_without_marks_are_incidental() -> None:
    assert incidental("合并模型") == {"并模"}
    assert incidental("get_base_model 和 LoRA") == {"getbasemodel"}
    assert incidental("智谱") == set(), "single characters may be a word that the dictionary lacks"
    assert incidental("") == set()


@given(st.text(max_size=60))
def test_what_is_incidental_is_a_term(text: str) -> None:
    assert incidental(text) <= set(terms(text)) | {""}
