"""Measures of rankings against values computed by hand and against definitions written another way."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.records import Passage
from rag import metrics

RANKINGS = st.lists(st.booleans(), max_size=12)


@pytest.mark.parametrize(
    ("relevant", "total", "expected"),
    [
        # hit@1, hit@3, reciprocal rank, recall@3, nDCG@3
        ([True, False, True], 2, (True, True, 1.0, 1.0, (1 + 1 / 2) / (1 + 1 / math.log2(3)))),
        ([False, True], 2, (False, True, 0.5, 0.5, (1 / math.log2(3)) / (1 + 1 / math.log2(3)))),
        ([False, False, False, True], 1, (False, False, 0.25, 0.0, 0.0)),
        ([True, True, True, True], 5, (True, True, 1.0, 0.6, 1.0)),
        ([], 1, (False, False, 0.0, 0.0, 0.0)),
        ([False], 0, (False, False, 0.0, 0.0, 0.0)),
    ],
)
def test_by_hand(relevant: list[bool], total: int, expected: tuple[float, ...]) -> None:
    assert (
        metrics.hit(relevant, 1),
        metrics.hit(relevant, 3),
        metrics.reciprocal_rank(relevant),
        metrics.recall(relevant, total, 3),
        metrics.ndcg(relevant, total, 3),
    ) == pytest.approx(expected)


@given(RANKINGS, st.integers(0, 5), st.integers(1, 12))
def test_measures_are_shares_that_grow_with_relevance(relevant: list[bool], missing: int, k: int) -> None:
    total = sum(relevant) + missing
    for measure in (metrics.recall, metrics.ndcg):
        assert 0 <= measure(relevant, total, k) <= 1 + 1e-9
    if relevant and not relevant[0]:
        better = [True, *relevant[1:]]
        assert metrics.ndcg(better, total + 1, k) >= metrics.ndcg(relevant, total + 1, k)
        assert metrics.reciprocal_rank(better) == 1
    assert metrics.hit(relevant, k) == (metrics.reciprocal_rank(relevant) >= 1 / k)


@given(RANKINGS, st.integers(0, 5), st.integers(1, 12))
def test_ndcg_is_that_of_the_best_order(relevant: list[bool], missing: int, k: int) -> None:
    """By the textbook: gains divided by logarithms, over the same of the sorted gains."""
    total = sum(relevant) + missing
    gains = [float(flag) for flag in relevant]
    best = sorted(gains + [1.0] * missing, reverse=True)
    given_gain, best_gain = (
        sum(gain * math.log(2) / math.log(place + 2) for place, gain in enumerate(some[:k])) for some in (gains, best)
    )
    assert metrics.ndcg(relevant, total, k) == pytest.approx(given_gain / best_gain if best_gain else 0)


def test_text_is_compared_without_space_marks_and_case() -> None:
    assert metrics.holds("| **QLoRA** | 4bit\n量化 |", ["qlora4BIT量化"])
    assert not metrics.holds("QLoRA", ["LoRA2"])
    assert not metrics.holds("anything", [])


def test_evidence_stands_in_the_first_characters_laid_end_to_end() -> None:
    assert metrics.evidence(["x" * 790, "0123456789answer"], ["0123456789"])
    assert not metrics.evidence(["x" * 790, "0123456789answer"], ["answer"])
    assert metrics.evidence(["first half, ", "second"], ["half, second"])
    assert not metrics.evidence([], ["x"])


def test_an_answer_says_one_of_each_group_soon() -> None:
    must = [["4bit", "4-bit"], ["LoRA"]]
    assert metrics.says("4 bit[1] 量化加 lora", must)
    assert not metrics.says("4bit 量化", must)
    assert not metrics.says("4bit" + "x" * 300 + "LoRA", must)
    assert metrics.says("4bit" + "[1]" * 200 + "LoRA", must)
    assert metrics.says("anything", [])


def spans(bounds: list[tuple[int, int]]) -> list[tuple[Passage, str]]:
    passages = [
        Passage(str(n), "d", "d.md", "prose", "x", (), start, end, 1, 1) for n, (start, end) in enumerate(bounds)
    ]
    return [(passage, "gold") for passage in passages]


def test_a_table_and_its_rows_are_not_shown_together() -> None:
    table_and_rows = spans([(0, 100), (10, 30), (30, 50)])
    assert metrics.showable(table_and_rows, ["gold"]) == 2
    assert metrics.showable([*table_and_rows, *spans([(100, 120)])], ["GOLD"]) == 3
    assert metrics.showable(table_and_rows, ["other"]) == 0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), max_size=7))
def test_showable_is_the_most_that_do_not_overlap(drawn: list[tuple[int, int]]) -> None:
    passages = spans([(start, start + length) for start, length in drawn])
    most = max(
        size
        for size in range(len(passages) + 1)
        for some in combinations([passage for passage, _ in passages], size)
        if all(one.end <= other.start or other.end <= one.start for one, other in combinations(some, 2))
    )
    assert metrics.showable(passages, ["gold"]) == most
