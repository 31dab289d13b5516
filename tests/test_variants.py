"""Terms in both languages: the table, how it is learnt, and what it does for a search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.lexical import LexicalIndex
from kb.records import Passage
from kb.terms import terms
from kb.variants import SYNONYM, SYNONYMS, TRANSLATIONS, variants_of
from models.corpus import CorpusDocument
from models.learn_variants import bag
from models.parallel_texts import glosses, nearest_lines, outline_pairs
from models.word_alignment import translations

WORDS = {"cat": "猫咪", "dog": "小狗", "sees": "看见", "eats": "吃饭", "big": "巨大"}


@pytest.mark.parametrize(
    ("term", "other"),
    [
        ("adapter", "适配器"),
        ("适配器", "adapter"),
        ("微调", "fine-tuning"),
        ("tokenizer", "分词器"),
        ("memory", "内存"),
    ],
)
def test_terms_of_the_subject_are_known_in_both_languages(term: str, other: str) -> None:
    found = dict(variants_of(term))
    assert found[other] >= 0.5
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert all(0 < weight <= 1 for weight in found.values())


def test_a_synonym_weighs_less_than_a_sure_translation() -> None:
    found = dict(variants_of("关掉"))
    assert found["停用"] == SYNONYM
    assert dict(variants_of("停用"))["关掉"] == SYNONYM
    assert dict(variants_of("适配器"))["adapter"] > SYNONYM


def test_every_synonym_is_a_term_as_questions_and_passages_have_it() -> None:
    groups = [line.split("\t") for line in SYNONYMS.read_text(encoding="utf-8").splitlines()]
    assert all(len(set(group)) == len(group) > 1 for group in groups)
    assert [term for group in groups for term in group if term not in terms(term)] == []


def test_a_question_finds_what_is_written_in_other_words() -> None:
    index = LexicalIndex.build(passages("可以停用适配器", "天气很好"))
    assert [passage.id for passage, _ in index.search("怎么关掉", 5)] == ["0"]


def test_an_unknown_term_has_no_variants() -> None:
    assert variants_of("xyzzy") == ()


def passages(*texts: str) -> list[Passage]:
    return [Passage(str(n), str(n), f"{n}.md", "prose", text, (), 0, len(text), 1, 1) for n, text in enumerate(texts)]


def test_a_question_finds_what_is_written_in_the_other_language() -> None:
    index = LexicalIndex.build(passages("适配器的权重可以合并", "天气很好", "the adapter is small"))
    assert [passage.id for passage, _ in index.search("adapter", 5)] == ["2", "0"]
    assert [passage.id for passage, _ in index.search("适配器", 5)] == ["0", "2"]
    assert index.search("xyzzy", 5) == []


def test_a_passage_with_both_is_not_counted_twice() -> None:
    index = LexicalIndex.build(passages("适配器", "适配器 adapter", "别的"))
    either, both = (dict(index.numbers(question, 5)) for question in ("适配器", "适配器 adapter"))
    assert either[1] < 0.8 * both[1]


def test_a_term_that_only_has_variants_is_no_rarer_than_they_are() -> None:
    index = LexicalIndex.build(passages(*["适配器"] * 8, "别的", "另外的"))
    rarity = dict(index.rarity("adapter xyzzy"))
    assert 0 < rarity["adapter"] < rarity["xyzzy"]


@given(st.lists(st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=3), min_size=12, max_size=40))
def test_words_that_always_meet_are_found_to_translate_each_other(sentences: list[list[str]]) -> None:
    every = [*sentences, *([word] for word in WORDS for _ in range(3))]
    found = translations([(set(some), {WORDS[word] for word in some}) for some in every])
    for word, translated in WORDS.items():
        best = max((each for each in found if each.first == word), key=lambda each: each.there * each.back)
        assert best.second == translated
    assert all(0 <= each.there <= 1.001 and 0 <= each.back <= 1.001 for each in found)


def test_a_bag_has_words_that_need_translation() -> None:
    english, chinese = bag(("The `peft` adapters of LoRA", "LoRA 的 peft 适配器"))
    assert english == {"adapter"}
    assert "适配器" in chinese


def test_outlines_that_agree_are_taken_side_by_side() -> None:
    english, chinese = "# Title\n\none\n\ntwo\n\n## Next\n\nthree\n", "# 标题\n\n一\n\n二\n\n## 下面\n\n三\n\n四\n"
    assert outline_pairs(english, chinese) == [("Title", "标题"), ("one", "一"), ("two", "二"), ("Next", "下面")]
    assert outline_pairs(english, "# 标题\n") == []


def test_lines_that_are_each_others_nearest_are_taken_side_by_side() -> None:
    english = "The adapter is loaded first.\nThen the tokenizer is saved.\nNothing else."
    chinese = "先加载适配器。\n然后保存分词器。\n这里多了一行别的。"
    words = {"适配器": "adapter", "加载": "loaded", "分词器": "tokenizer", "保存": "saved"}
    translate = {chinese: ((english, 1.0),) for chinese, english in words.items()}
    assert nearest_lines(english, chinese, lambda term: translate.get(term, ())) == [
        ("The adapter is loaded first.", "先加载适配器。"),
        ("Then the tokenizer is saved.", "然后保存分词器。"),
    ]
    assert nearest_lines("", "", variants_of) == []


def test_glosses_stand_in_brackets() -> None:
    documents = [CorpusDocument("c", f"{n}.md#0", "合并权重（merge）。") for n in range(5)]
    assert list(glosses(documents)) == [("merge", "合并权重")] * 3


def test_the_table_has_probabilities_in_the_order_of_its_words() -> None:
    lines = [line.split("\t") for line in TRANSLATIONS.read_text(encoding="utf-8").splitlines()]
    assert [line[:2] for line in lines] == sorted(line[:2] for line in lines)
    assert all(0 <= float(value) <= 1.001 for line in lines for value in line[2:])
