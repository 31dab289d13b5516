import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mojibake import restore
from ingest.mojibake.pairs import PARTNER, PARTNERS, paired

BALANCED = st.recursive(
    st.just(""),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(st.sampled_from(sorted(PARTNERS)), inner).map(lambda pair: PARTNERS[pair[0]] + pair[1] + pair[0]),
    ),
    max_leaves=3,
)


def gain(marks: str) -> float:
    total, waiting = 0.0, ""
    for mark in marks:
        gained, waiting = paired(waiting, mark)
        total += gained
    return total


@given(BALANCED.filter(lambda marks: len(marks) <= 6))
def test_every_pair_gains_and_a_mark_that_closes_nothing_loses(marks: str) -> None:
    assert gain(marks) == PARTNER * len(marks) / 2
    for closing in PARTNERS:
        assert gain(marks + closing) == gain(marks) - PARTNER
        assert gain(marks + PARTNERS[closing]) == gain(marks)


@pytest.mark.parametrize(
    "text", ["点击「确定」，打开「样式」窗格。", "见【说明】：先选「文件」、「打开」，再选《目录》。"]
)
def test_marks_that_lost_bytes_come_back_as_partners(text: str) -> None:
    damaged = f"请按下面的步骤操作。{text}".encode().decode("cp1254", errors="ignore").replace("\u00ad", "")
    assert restore(damaged).text == f"请按下面的步骤操作。{text}"
