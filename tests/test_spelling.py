"""Misspelt identifiers, put right by what the documents have."""

import pytest

from kb.spelling import respelled
from kb.terms import terms

VOCABULARY = set(terms("DistilBERT, BERT, AdaLoRA, Mistral, get_peft_model, transformers, adapter, 分词器, LoRA"))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("disitlbert 有什么优点？", "distilbert 有什么优点？"),
        ("DistilBER 有什么优点？", "distilbert 有什么优点？"),
        ("what is AddaLoRA?", "what is adalora?"),
        ("get_pefft_model 怎么用", "get_peft_model 怎么用"),
        ("transfomers 和 adpater", "transformer 和 adapter"),
    ],
)
def test_one_slip_is_put_right(asked: str, meant: str) -> None:
    assert respelled(asked, VOCABULARY) == meant


@pytest.mark.parametrize(
    "asked",
    [
        "DistilBERT 有什么优点？",  # is spelt so
        "Mixtral 有几个专家？",  # another model
        "QLoRA 是什么？",  # another method
        "tokenizer 怎么加载？",  # known by its translation
        "TensorRT 怎么用？",  # like nothing there
        "BRET 是什么？",  # too short to tell
        "LLaMA3 与 BERT2",  # numbers are no slips
        "adapted",  # an English word
    ],
)
def test_all_else_stays_as_it_is(asked: str) -> None:
    assert respelled(asked, VOCABULARY) == asked


def test_two_terms_that_are_as_near_leave_it_as_it_is() -> None:
    assert respelled("adaptxer", {"adapter", "adaptxe"}) == "adaptxer"


def test_a_name_without_measure_and_one_again_and_again_are_looked_up_little() -> None:
    class Counted(dict[str, int]):
        asked = 0

        def __contains__(self, term: object) -> bool:
            type(self).asked += 1
            return False

    for question in ("a" * 4000, "Abcdefgh " * 400):
        Counted.asked = 0
        assert respelled(question, Counted()) == question
        assert Counted.asked < 1000
