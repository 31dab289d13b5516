"""Words as jieba finds them."""

from itertools import chain
from pathlib import Path

import jieba
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kb import segment
from kb.names import names
from kb.segment import is_word, words
from kb.settings import SOURCES
from kb.terms import RUN, terms

GUIDE = (SOURCES / "llm_guide.md").read_text(encoding="utf-8")
SOME_HAN = sorted(set(GUIDE) & {chr(code) for code in range(0x4E00, 0x9FD6)})


@pytest.fixture(scope="module")
def dictionary() -> jieba.Tokenizer:
    dictionary = jieba.Tokenizer()
    dictionary.FREQ, dictionary.total = dictionary.gen_pfdict(dictionary.get_dict_file())
    dictionary.initialized = True
    for name in chain.from_iterable(names()):
        if "\u4e00" <= name[0] <= "\u9fd5" and not dictionary.FREQ.get(name):
            dictionary.add_word(name, freq=int(segment.RAREST))
    return dictionary


def test_the_guide_has_the_words_that_jieba_finds(dictionary: jieba.Tokenizer) -> None:
    runs = {run for run in RUN.findall(GUIDE) if "\u4e00" <= run[0] <= "\u9fff"}
    assert len(runs) > 100
    for run in runs:
        assert words(run) == dictionary.lcut(run, HMM=False)


@given(st.text(st.one_of(st.sampled_from(SOME_HAN), st.sampled_from("〇㐀㐁豈\U00020000鿿"))))
@example("二〇〇八年〇")
@example("㐀㐁中文")
def test_any_han_has_the_words_that_jieba_finds(dictionary: jieba.Tokenizer, run: str) -> None:
    assert words(run) == dictionary.lcut(run, HMM=False)


def test_a_name_that_no_dictionary_has_is_a_word() -> None:
    assert words("英伟达的显卡") == ["英伟达", "的", "显卡"]
    assert "英伟达" in terms("英伟达的显卡")


def test_words_and_what_they_begin_with_are_told_apart() -> None:
    assert is_word("自然语言")
    assert not is_word("自然语")
    assert not is_word("")


def test_the_dictionary_leaves_nothing_outside_the_knowledge_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    segment._dictionary.cache_clear()
    assert terms("自然语言处理")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
