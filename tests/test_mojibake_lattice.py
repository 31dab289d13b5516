import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.mojibake import restore
from ingest.mojibake.kinds import SINGLE_BYTE, SOFT_HYPHEN, SingleByte, encoding
from ingest.mojibake.lattice import Certain, Misreading, Slot, lattice

CONTINUATIONS = frozenset(range(0x80, 0xC0))
HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)
PROSE = st.text(
    st.one_of(HAN, st.sampled_from("，。、「」“”…（）：；？！ \nabcXYZ019.-_`*#|éß😀")), min_size=1, max_size=40
)


def holds(text: str, pieces: list[Certain | Slot]) -> bool:
    """Whether the lattice has a reading that is `text`."""
    at = 0
    for piece in pieces:
        if isinstance(piece, Certain):
            if not text.startswith(piece.text, at):
                return False
            at += len(piece.text)
        elif text[at] in piece.candidates:
            at += 1
        else:
            return False
    return at == len(text)


@pytest.mark.parametrize("page", ["cp1252", "cp1254", "cp1250", "cp1251", "cp1257", "cp1258"])
@settings(deadline=None)
@given(text=PROSE)
def test_the_truth_is_always_a_reading(page: str, text: str) -> None:
    damaged = text.encode().decode(page, errors="ignore").replace("\u00ad", "")
    misreading = Misreading(encoding(page), encoding(page).holes | {SOFT_HYPHEN}, dropped=True)
    pieces = list(lattice(damaged, 0, len(damaged), misreading))
    assert holds(text, pieces)


@pytest.mark.parametrize("errors", ["ignore", "replace"])
@settings(deadline=None)
@given(text=PROSE.filter(lambda text: "\n" not in text))
def test_the_truth_is_always_a_reading_of_gbk(errors: str, text: str) -> None:
    damaged = text.encode().decode("gbk", errors=errors)
    misreading = Misreading(encoding("gbk"), CONTINUATIONS, dropped=True, mark="\ufffd")
    assert holds(text, list(lattice(damaged, 0, len(damaged), misreading)))


@settings(deadline=None)
@given(PROSE)
def test_pieces_cover_the_damaged_text_in_order(text: str) -> None:
    damaged = text.encode().decode("gbk", errors="ignore")
    misreading = Misreading(encoding("gbk"), CONTINUATIONS, dropped=True)
    pieces = list(lattice(damaged, 0, len(damaged), misreading))
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])] if pieces else damaged == ""
    assert not pieces or pieces[-1].end == len(damaged)


@settings(deadline=None, max_examples=30)
@given(characters=st.lists(HAN, min_size=8, max_size=60, unique=True), page=st.sampled_from(SINGLE_BYTE))
def test_what_lost_nothing_comes_back_exactly(characters: list[str], page: str) -> None:
    """Of varied text, that is: one character over and over looks alike in some code pages."""
    text = "".join(characters)
    of = encoding(page)
    assert isinstance(of, SingleByte)
    table = {ord(byte): chr(point) for point, byte in of.table.items()}
    assert restore("".join(table[byte] for byte in text.encode())).text == text


def test_where_code_pages_can_not_be_told_apart_the_familiar_reading_wins() -> None:
    of = encoding("iso8859-15")
    assert isinstance(of, SingleByte)
    table = {ord(byte): chr(point) for point, byte in of.table.items()}
    damaged = "".join(table[byte] for byte in "一一一一".encode())
    assert encoding("iso8859-2").view(damaged).bytes.encode("latin-1").decode() == "侀侀侀侀"
    assert restore(damaged).text == "一一一一"
