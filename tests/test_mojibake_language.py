import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.mojibake.decode import MOST_COLUMNS, decode
from ingest.mojibake.kneser_ney import estimate
from ingest.mojibake.language import DATA, LanguageModel, Weights
from ingest.mojibake.lattice import Certain, Choice, Slot
from ingest.mojibake.lexicon import trie_levels
from ingest.mojibake.symbols import symbols
from ingest.mojibake.train import train
from ingest.mojibake.trie import NONE, STEP, ZERO, Level, Trie, pack

TEXT = "天地人天人地人人地天\n地天人天地地\n" * 20
LISTS = {"jieba": {"天": 5.0, "地": 4.0, "人": 3.0, "天地": 6.0, "人人": 2.0, "地天人": 1.0}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    out = tmp_path_factory.mktemp("language") / "small.npz"
    train(TEXT, LISTS, out)
    return LanguageModel.load(out)


def score(model: LanguageModel, text: str) -> float:
    state, total = model.start(), 0.0
    for symbol in text:
        gained, state = model.score(state, symbol)
        total += gained
    return total


def test_symbols_pass_over_markup_and_fold_latin_words() -> None:
    assert symbols("使用 **LoRA-7b** 的`peft` ，\r\n\n  > 完\\_成") == "使用a的a，\n完成"


@settings(deadline=None)
@given(st.lists(st.text("天地人", min_size=1, max_size=4), min_size=1, max_size=30, unique=True))
def test_a_trie_finds_what_was_put_in_and_nothing_else(words: list[str]) -> None:
    numbers = {"天": 3, "地": 1, "人": 2}
    values = {word: -float(n % 19) for n, word in enumerate(words)}
    trie = Trie(pack(trie_levels(values, numbers), "t"), "t")
    for length in range(1, 5):
        for symbols_ in product("天地人", repeat=length):
            node = 0
            for depth, symbol in enumerate(symbols_):
                node = trie.child(depth, node, numbers[symbol]) if node >= 0 else -1
            found = NONE if node < 0 else trie.value(length, node)
            word = "".join(symbols_)
            assert (found != NONE) == (word in values)
            if word in values:
                assert found * STEP == pytest.approx(values[word], abs=STEP / 2 + 1e-9)


def test_probabilities_sum_to_one_after_pruning() -> None:
    ids = np.random.default_rng(0).integers(0, 5, 3000).astype(np.uint16)
    levels = estimate(ids, 5, (100, 12))
    bigrams = levels[1]
    assert 5 < len(bigrams.symbols) <= 12
    context = np.repeat(np.arange(len(levels[0].symbols)), bigrams.children)
    for first in range(len(levels[0].symbols)):
        seen = context == first
        total = np.exp(bigrams.values[seen]).sum()
        rest = [n for n, symbol in enumerate(levels[0].symbols) if symbol not in bigrams.symbols[seen]]
        total += np.exp(levels[0].values[rest] + levels[0].weights[first]).sum()
        assert total == pytest.approx(1, abs=1e-6)


def test_unigrams_of_the_highest_order_follow_the_formula() -> None:
    # 天 4 times, 地 twice, 人 once: n1 = 1, n2 = 1, n3 = 0, n4 = 1, Y = 1/3, D1 = 1/3, D2 = 2, clipped to 1.99
    ids = np.array([1, 1, 1, 1, 2, 2, 3], np.uint16)
    (level,) = estimate(ids, 4, (10,))
    y = 1 / (1 + 2 * 1)
    discounts = {1: 1 - 2 * y * 1 / 1, 2: 2 - 3 * y * 1 / 1, 4: 3 - 4 * y * 1 / 1}
    freed = sum(discounts.values()) / 7
    expected = [(count - discounts[count]) / 7 + freed / 4 for count in (4, 2, 1)]
    assert np.exp(level.values) == pytest.approx(np.array(expected))


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text("天地人\n", min_size=1, max_size=3),
            st.lists(st.sampled_from("天地人口"), min_size=1, max_size=3, unique=True),
        ),
        min_size=1,
        max_size=7,
    )
)
def test_a_wide_beam_finds_what_trying_everything_finds(model: LanguageModel, parts: list[str | list[str]]) -> None:
    pieces: list[Certain | Slot] = [
        Certain(n, n + 1, part) if isinstance(part, str) else Slot(n, n + 1, tuple(part))
        for n, part in enumerate(parts)
    ]
    texts = list(product(*([part] if isinstance(part, str) else part for part in parts)))
    scores = {text: score(model, "".join(map(symbols, text))) for text in texts}
    decided = list(decode(pieces, model, width=10_000, margin=math.inf))
    found = tuple(piece.text for piece in decided)
    assert scores[found] == pytest.approx(max(scores.values()))
    total = math.fsum(math.exp(s) for s in scores.values())
    for n, piece in enumerate(decided):
        if isinstance(piece, Choice):
            for candidate, posterior in piece.ranked:
                exact = math.fsum(math.exp(s) for text, s in scores.items() if text[n] == candidate) / total
                assert posterior == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_the_weights_of_the_two_models_decide(model: LanguageModel) -> None:
    slot: list[Certain | Slot] = [Certain(0, 1, "地天人人"), Slot(1, 2, ("人", "地"))]
    scores = {}
    for name, weights in {"ngrams": Weights(1, 0), "words": Weights(0, 1)}.items():
        weighted = LanguageModel(model.vocabulary, model.ngrams, model.words, weights)
        scores[name] = [piece.text for piece in decode(slot, weighted)][-1]
    assert scores == {"ngrams": "地", "words": "人"}


def test_the_packed_model_is_small_and_knows_the_language() -> None:
    assert DATA.stat().st_size < 12_000_000
    packed = LanguageModel.load(DATA)
    assert score(packed, "加载模型") > score(packed, "加载模友")
    assert score(packed, "我们与他们") > score(packed, "我们丐他们")


def test_levels_are_read_back_as_they_were_packed() -> None:
    level = Level(np.array([2], np.uint16), np.array([1, 5], np.uint16), np.array([-0.8, math.nan]), np.zeros(2))
    trie = Trie(pack([level], "t"), "t")
    assert [trie.child(0, 0, symbol) for symbol in (1, 5, 3)] == [0, 1, -1]
    assert [trie.value(1, 0), trie.value(1, 1)] == [-10, NONE]
    assert [ZERO - packed for packed in trie.levels[0].weights] == [0, 0]
    assert [trie.child(1, node, 1) for node in (0, 1)] == [-1, -1]


def test_a_text_of_nothing_but_slots_is_decided_to_its_end(model: LanguageModel) -> None:
    slots = [Slot(n, n + 1, ("人", "地", "天")) for n in range(3 * MOST_COLUMNS)]
    decided = list(decode(slots, model))
    assert [piece.start for piece in decided] == list(range(3 * MOST_COLUMNS))
    assert all(isinstance(piece, Choice) and 0 < piece.confidence <= 1 for piece in decided)
