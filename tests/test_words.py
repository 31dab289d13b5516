"""What a question asks for, and how much of it a passage says."""

import pytest

from kb.terms import terms
from rag.words import Held, asked


def held(text: str) -> Held:
    return Held(text, set(terms(text)))


def test_all_is_said_or_a_part_or_nothing() -> None:
    question = asked("BitFit 的显存")
    shares = [question.share_said(held(text)) for text in ("BitFit 省显存。", "BitFit 训练偏置。", "训练偏置。")]
    assert shares[0] == 1
    assert 0 < shares[1] < 1
    assert shares[2] == 0


def test_the_thing_asked_about_counts_more_than_what_is_asked_of_it() -> None:
    question = asked("Mixtral 是什么架构？")
    assert question.share_said(held("Mixtral：MoE")) > question.share_said(held("Agent 的架构设计"))


def test_words_that_tell_little_are_not_looked_for() -> None:
    assert asked("它是什么？").words == ()
    assert asked("有没有用？").telling == {}
    assert asked("有没有用？").share_said(held("很有用")) == 0


def test_a_greeting_has_no_words() -> None:
    assert asked("你好").words == ()


@pytest.mark.parametrize(
    ("question", "word", "text"),
    [
        ("怎么转成 HF 格式？", "HF", "python convert_weights_to_hf.py"),
        ("adapter 在哪？", "adapter", "适配器在这里"),
        ("一共住几天？", "几天", "可以住 3 天"),
        ("Claude 开源吗？", "开源", "Claude 是闭源的"),
        ("set_adapter 有什么用？", "set_adapter", "设置_适配器"),
    ],
)
def test_a_word_is_said_in_another_way(question: str, word: str, text: str) -> None:
    assert asked(question).said(word, held(text)) == 1


def test_a_short_word_is_not_said_within_another() -> None:
    assert asked("怎么转成 HF 格式？").said("HF", held("halfway, chf")) == 0
