"""What kind of thing a question asks for, and whether a passage names one."""

import pytest

from kb.terms import terms
from rag.kinds import KINDS, lacks_kind, names_maker

LICENCE = "本项目采用 Apache-2.0 许可证。"


@pytest.mark.parametrize(
    ("question", "text", "lacks"),
    [
        ("它用的是什么开源许可证？", LICENCE, False),
        ("它用的是什么开源许可证？", "中文能力优异的通用模型，开源许可证另行说明。", True),
        ("训练用了哪些优化器？", "用 AdamW 训练了三轮。", False),
        ("训练用了哪些优化器？", "训练了三轮。", True),
        ("它的许可证是什么？", "中文能力优异的通用模型。", True),
        ("Which programming languages does it support?", "It writes Python and Rust.", False),
        ("Which programming languages does it support?", "It writes code.", True),
        ("What does the optimizer mean?", "It is trained.", False),
        ("AdamW 之外还有哪些优化器？", "用 AdamW 训练了三轮。", True),  # the question has it itself
        ("优化器有什么用？", "训练了三轮。", False),  # asks for no optimizer
        ("为什么许可证重要？", "训练了三轮。", False),
        ("它是什么？", "训练了三轮。", False),
    ],
)
def test_a_thing_of_the_kind_is_missed(question: str, text: str, *, lacks: bool) -> None:
    assert lacks_kind(question, text, set(terms(text))) is lacks


@pytest.mark.parametrize(
    ("question", "text", "names"),
    [
        ("Alpaca 是哪家机构的？", "Alpaca 由斯坦福大学微调", True),
        ("Who developed Alpaca?", "| Alpaca | Stanford |", True),
        ("Alpaca 是哪家机构的？", "Alpaca 由 LLaMA 微调", False),
        ("斯坦福的 Alpaca 是哪家机构的？", "斯坦福", False),
        ("Alpaca 是什么？", "Alpaca 由斯坦福大学微调", False),
    ],
)
def test_an_organisation_is_asked_for_and_named(question: str, text: str, *, names: bool) -> None:
    assert names_maker(question, text, set(terms(text))) is names


def test_every_kind_has_words_and_things_and_no_word_is_of_two_kinds() -> None:
    rows = [[field.split(" ") for field in line.split("\t")] for line in KINDS.read_text("utf-8").splitlines()]
    words = [word for kind, _ in rows for word in kind]
    assert len(words) == len(set(words))
    assert all(kind and len(things) >= 8 and not set(kind) & set(things) for kind, things in rows)
