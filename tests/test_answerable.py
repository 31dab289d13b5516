"""What tells whether a knowledge base answers a question."""

import math

import pytest

from kb.terms import terms
from kb.unsaid import unsaid_share
from rag.answerable import Measures, answerable, lacks_number, measured, probability
from rag.words import Held

NOTHING = Measures(
    0, 0.0, 0.0, 0.0, 0.0, how=False, fact=False, numberless=False, kindless=False, kind=False, unknown=0.0
)


def held(text: str) -> Held:
    return Held(text, set(terms(text)))


def of(question: str, *texts: str) -> Measures:
    passages = [held(text) for text in texts]
    return measured(question, passages, {term for text in texts for term in terms(text)})


def test_each_word_is_said_or_unsaid() -> None:
    there, missing = of("LoRA 的显存", "LoRA 省显存。"), of("LoRA 的显存", "LoRA 是低秩分解。")
    assert there.unsaid == 0
    assert missing.unsaid == pytest.approx(math.log1p(-math.log(unsaid_share("显存"))))
    assert there.words == missing.words == 2


@pytest.mark.parametrize(
    ("question", "text", "said"),
    [
        ("训练要几天", "训练要 3 天", True),
        ("训练要几天", "训练要三十个小时", False),
        ("训练几点停", "训练 18:30 停", True),
        ("训练几号停", "训练 5 月 3 日停", True),
    ],
)
def test_how_many_of_something_is_said_by_a_number_of_them(question: str, text: str, *, said: bool) -> None:
    assert (of(question, text).lacking == 0) is said


def test_words_that_answers_do_without_are_missed_less() -> None:
    text = "LoRA 把权重的更新分解为两个小矩阵。"
    assert of("LoRA 的特点", text).unsaid < of("LoRA 的显存", text).unsaid
    assert unsaid_share("特点") > 0.5 > unsaid_share("一个没有见过的词") > unsaid_share("显存")


def test_a_word_is_said_by_its_translation_and_by_its_synonym() -> None:
    assert of("adapter", "适配器").unsaid < of("adapter", "分词器").unsaid
    assert of("怎么关掉它", "可以停用它").unsaid < of("怎么关掉它", "可以合并它").unsaid


def test_whether_something_is_so_is_answered_by_its_opposite_too() -> None:
    assert of("Claude 开源吗？", "Claude 是闭源的模型。").unsaid == 0
    assert of("Is Claude open-source?", "Claude is proprietary.").unsaid == 0
    assert of("哪里开源 Claude？", "Claude 是闭源的模型。").unsaid > 0
    assert of("Claude 开源的是什么？", "Claude 是闭源的模型。").unsaid > 0


def test_what_several_passages_say_apart_is_not_held_together() -> None:
    apart = of("BitFit 的显存", "BitFit 训练偏置。", "QLoRA 省显存。")
    together = of("BitFit 的显存", "BitFit 训练偏置。", "BitFit 省显存。")
    assert apart.held < together.held
    assert apart.lacking > together.lacking == 0


def test_what_is_asked_of_a_thing_is_told_from_the_thing() -> None:
    unsaid = of("BitFit 的显存", "BitFit 训练偏置。")
    assert unsaid.relation == unsaid.lacking > 0
    unnamed = of("BitFit 的显存", "QLoRA 省显存。")
    assert unnamed.lacking > unnamed.relation == 0


def test_the_number_of_a_version_says_little() -> None:
    assert of("LLaMA 3", "LLaMA").lacking < of("LLaMA 2024", "LLaMA").lacking
    assert of("LLaMA 3", "LLaMA").unknown == 0 < of("LLaMA 2024", "LLaMA").unknown


def test_an_identifier_is_known_where_some_of_its_words_were_translated() -> None:
    translated = "#### 设置\\_适配器\n\n使用它。"
    assert of("set_adapter 有什么作用？", translated).unknown == 0
    assert of("set_adapter 有什么作用？", "设置一个适配器").unknown > 0
    assert of("modules_to_save 是什么？", "模块\\_要\\_保存").unknown == 0


def test_an_english_word_is_no_name() -> None:
    assert of("Who developed LoRA?", "LoRA").lacking < of("Who frobnicated LoRA?", "LoRA").lacking


def test_an_identifier_is_not_known_by_its_parts_alone() -> None:
    assert of("TensorRT 怎么用？", "一个 tensor。").unknown > 0
    assert of("TensorRT 怎么用？", "用 TensorRT 转换。").unknown == 0
    assert of("怎么用 PTuning？", "P-Tuning v2 的用法").unknown == 0


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("怎么合并适配器？", "how"),
        ("How do I merge it?", "how"),
        ("BitFit 是谁提出的？", "fact"),
        ("它有几层？", "fact"),
        ("Where is it kept?", "fact"),
        ("LoRA 怎么样？", ""),
        ("为什么要合并？", ""),
        ("怎么会合并？", ""),
        ("有哪几种方法？", ""),
        ("LoRA 是什么？", ""),
    ],
)
def test_what_is_asked_for_is_told_by_its_words(question: str, asked: str) -> None:
    found = of(question, "LoRA")._asdict()
    assert [name for name in ("how", "fact") if found[name]] == [asked] * bool(asked)


@pytest.mark.parametrize(
    "question",
    [
        "的？",
        "你是谁？",
        "你好",
        "您好！",
        "你好呀～",
        "早上好",
        "谢谢您！",
        "Hello",
        "hi there!",
        "Thank you very much.",
    ],
)
def test_a_greeting_and_a_question_without_words_ask_for_nothing(question: str) -> None:
    assert probability(of(question, "你好，LoRA！Hello, hi there, thank you very much.")) == 0


def test_a_clause_beside_the_point_does_not_count_against_the_rest() -> None:
    passages = [held("BitFit 只训练偏置。")]
    asked, vocabulary = "BitFit 训练哪些参数？", set(terms(passages[0].text))
    alone = answerable(asked, passages, vocabulary)
    assert answerable(f"我刚买了一台便宜的笔记本电脑，{asked}", passages, vocabulary) == alone
    assert alone == probability(measured(asked, passages, vocabulary))
    assert answerable("笔记本电脑多少钱，哪里能买到？", passages, vocabulary) < 0.2


def test_what_begins_with_a_greeting_is_asked() -> None:
    assert of("你好，LoRA 是什么？", "LoRA").words == of("你好 LoRA", "LoRA").words == 2


@pytest.mark.parametrize(
    ("question", "text", "lacks"),
    [
        ("GPT-4 有多少个参数？", "GPT-3.5 / 4 / 4 Turbo 是 ChatGPT 的核心模型", True),
        ("LoRA 要训练多少参数？", "LoRA | 0.1-1%", False),
        ("QLoRA 占多少显存？", "其显存占用约21GB", False),
        ("mT5 支持多少种语言？", "支持百种语言", False),
        ("一共有多少种用法？", "有三种使用方式", False),
        ("How many experts are there?", "Mixtral: MoE", True),
        ("65B 的模型要多少显存？", "65B 的模型", True),
        ("LoRA 的原理是什么？", "低秩分解", False),
        ("Qwen 是什么时候发布的？", "中文能力优异", True),
        ("什么时候该用 QLoRA？", "资源极度受限", False),
        ("When was Qwen released?", "中文能力优异", True),
        ("When should I use QLoRA?", "资源极度受限", False),
    ],
)
def test_a_number_that_is_asked_for_and_not_there_is_missed(question: str, text: str, *, lacks: bool) -> None:
    assert lacks_number(question, text) is lacks


def test_probability_follows_each_measure() -> None:
    assert probability(NOTHING) == 0
    values = [4, 1.0, 1.5, 1.5, 1.0, *[False] * 5, 0.0]
    helps = {
        "words",
        "held",
        "kind",
        "relation",
    }  # of two questions that lack as much, the one that lacks names is worse
    for place, name in enumerate(Measures._fields):
        more = [*values[:place], values[place] + 1, *values[place + 1 :]]
        assert (probability(Measures(*more)) > probability(Measures(*values))) is (name in helps)
