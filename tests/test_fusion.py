"""Fusing two searches: by hand-computed values, and by what must hold for all scores."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import lexical_shares, reciprocal_rank_fusion, share_fusion, standouts

scores = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1, 1))


def test_shares_are_averaged_by_weight() -> None:
    fused = dict(share_fusion([{"a": 0.8, "b": 0.2}, {"b": 1.0, "c": 0.4}], (1.0, 0.25)))
    assert fused == pytest.approx({"a": 0.8 / 1.25, "b": (0.2 + 1.0 * 0.25) / 1.25, "c": 0.4 * 0.25 / 1.25})


def test_equal_shares_keep_the_first_order() -> None:
    assert [name for name, _ in share_fusion([{"b": 0.5, "a": 0.5}, {}], (1, 1))] == ["b", "a"]


def test_a_poor_lexical_match_leaves_the_order_to_the_embedding() -> None:
    dense = {"right": 0.9, "wrong": 0.1}
    well_covered = share_fusion([lexical_shares({"wrong": 9.0, "right": 1.0}, 10.0), dense], (1, 0.4))
    hardly_covered = share_fusion([lexical_shares({"wrong": 9.0, "right": 1.0}, 100.0), dense], (1, 0.4))
    assert (well_covered[0][0], hardly_covered[0][0]) == ("wrong", "right")


def test_ideal_of_nothing_gives_no_shares() -> None:
    assert lexical_shares({"a": 1.0}, 0.0) == {}


def test_standout_by_hand() -> None:
    assert standouts({"a": 0.6, "b": 0.2}) == pytest.approx({"a": (0.6 - 0.2) / (1 - 0.2), "b": 0.0})
    assert standouts({}) == {}
    assert standouts({"a": 1.0, "b": 1.0}) == {"a": 0.0, "b": 0.0}


@given(cosines=scores)
def test_standouts_are_shares_in_the_same_order(cosines: dict[str, float]) -> None:
    found = standouts(cosines)
    assert all(0 <= share <= 1 + 1e-9 for share in found.values())
    ordered = [found[name] for name in sorted(cosines, key=lambda name: cosines[name])]
    assert ordered == sorted(ordered)


@given(lexical=scores, dense=scores)
def test_fusion_keeps_everything_once_and_best_first(lexical: dict[str, float], dense: dict[str, float]) -> None:
    fused = share_fusion([lexical, dense], (1.0, 0.4))
    assert sorted(name for name, _ in fused) == sorted(lexical.keys() | dense.keys())
    assert all(one >= other for (_, one), (_, other) in pairwise(fused))


def test_reciprocal_ranks_by_hand() -> None:
    fused = reciprocal_rank_fusion([["a", "b"], ["b", "c"]], weights=(1.0, 0.5), constant=60)
    assert [name for name, _ in fused] == ["b", "a", "c"]
    assert dict(fused) == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 0.5 / 61, "c": 0.5 / 62})
