"""How likely a text is as language: character n-grams and words, log-linear, behind one small protocol.

States are built when they are first met and kept, each with its transitions, so that scoring a symbol that was scored
before in the same state is one look-up.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from ingest.mojibake.pairs import MARKS, paired
from ingest.mojibake.symbols import NEWLINE, symbols
from ingest.mojibake.trie import NO_VALUE, STEP, ZERO, Trie

__all__ = ["LanguageModel", "Scorer", "State", "Weights", "default_model"]

DATA = Path(__file__).parent / "language.npz"
UNKNOWN = -250  # in the trie's steps: a symbol that is in no n-gram or no list of words
NEW_WORD = (0, 0, 0)
Word = tuple[int, int, int]
MOST_STATES = 300_000  # about 200 MB; then those built so far are forgotten


@dataclass(eq=False, slots=True)
class State:
    """What of the text so far decides how the next symbols score; equal histories give the same object.

    `ngrams` are the nodes of the last 1, 2, … symbols, as far as longer n-grams go on from them. `words` are the words
    that may be under way: (symbols read, node, the best segmentation's score before the word less the one up to here).
    `waiting` are the marks of the line that wait for their partners, the innermost last.
    """

    ngrams: tuple[int, ...]
    words: tuple[Word, ...]
    waiting: str = ""
    next: dict[str, tuple[float, "State"]] = field(default_factory=dict, repr=False)


class Scorer(Protocol):
    """A language model that reads from left to right."""

    def __hash__(self) -> int: ...

    def start(self) -> State:
        """The state at the beginning of a line."""
        ...

    def prior(self, symbol: str) -> float:
        """The log-score of `symbol` wherever it stands."""
        ...

    def score(self, state: State, symbol: str) -> tuple[float, State]:
        """The log-score of `symbol` after `state`, and the state behind it."""
        ...


@dataclass(frozen=True)
class Weights:
    """The exponents of the two models in their product."""

    ngrams: float = 0.8
    words: float = 0.6


# By the share of a document's runs of three symbols that the n-grams know. What they were estimated on is technical for
# the most part: the less a text is like it, the less they are to be believed.
WEIGHTS = ((0.6, Weights(0.8, 0.6)), (0.4, Weights(0.55, 0.6)), (0.0, Weights(0.4, 0.65)))
RUN = 3
SAMPLE = 300  # runs
EXPECTED, DOUBT = 0.7, 40  # a text is thought to be like that until so many runs were seen


class LanguageModel:
    """p(text) ~ ngrams(text)^a * words(text)^b.

    `ngrams` is a back-off model; `words` the likeliest segmentation of the text into words, each drawn on its own, kept
    up to date symbol by symbol (Viterbi), so that the score of a text does not depend on how it was cut up.
    """

    def __init__(self, vocabulary: str, ngrams: Trie, words: Trie, weights: Weights) -> None:
        self.vocabulary, self.ngrams, self.words, self.weights = vocabulary, ngrams, words, weights
        self._number = {symbol: number for number, symbol in enumerate(vocabulary, 1)}
        self._states: dict[tuple[tuple[int, ...], tuple[Word, ...], str], State] = {}
        self._weighted = {weights: self}

    @classmethod
    def load(cls, path: Path, weights: Weights = Weights()) -> Self:
        with np.load(path) as packed:
            arrays = dict(packed)
        vocabulary = arrays.pop("vocabulary").tobytes().decode("utf-8")
        return cls(vocabulary, Trie(arrays, "ngrams"), Trie(arrays, "words"), weights)

    def suited(self, familiarity: float) -> "LanguageModel":
        """The same model with weights suited to a document of which it knows so much."""
        weights = next(weights for least, weights in WEIGHTS if familiarity >= least)
        if weights not in self._weighted:
            self._weighted[weights] = LanguageModel(self.vocabulary, self.ngrams, self.words, weights)
        return self._weighted[weights]

    def familiarity(self, texts: Iterable[str]) -> float:
        """The share of a document's runs of three symbols that are among the n-grams, from the first of its texts."""
        known, seen = EXPECTED * DOUBT, float(DOUBT)
        for text in texts:
            numbers = [self._number.get(symbol, 0) for symbol in symbols(text)]
            for first in range(len(numbers) - RUN + 1):
                node = 0
                for depth in range(RUN):
                    node = self.ngrams.child(depth, node, numbers[first + depth]) if node >= 0 else node
                known += node >= 0
                seen += 1
            if seen > SAMPLE:
                break
        return known / seen

    def start(self) -> State:
        if len(self._states) > MOST_STATES:
            self._states = {}
        return self.score(self._state((), (NEW_WORD,)), NEWLINE)[1]

    def prior(self, symbol: str) -> float:
        number = self._number.get(symbol, 0)
        node = self.ngrams.child(0, 0, number)
        return STEP * (UNKNOWN if node < 0 else self.ngrams.value(1, node))

    def score(self, state: State, symbol: str) -> tuple[float, State]:
        known = state.next.get(symbol)
        if known is None:
            known = state.next[symbol] = self._step(state, symbol)
        return known

    def _state(self, ngrams: tuple[int, ...], words: tuple[Word, ...], waiting: str = "") -> State:
        key = (ngrams, words, waiting)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = State(ngrams, words, waiting)
        return state

    def _step(self, state: State, symbol: str) -> tuple[float, State]:
        number = self._number.get(symbol, 0)
        ngram_score, ngrams = self._next_ngrams(state.ngrams, number)
        word_score, words = self._next_words(state.words, number)
        score = STEP * (self.weights.ngrams * ngram_score + self.weights.words * word_score)
        waiting = "" if symbol == NEWLINE else state.waiting
        if symbol in MARKS:
            gained, waiting = paired(waiting, symbol)
            score += gained
        return score, self._state(ngrams, words, waiting)

    def _next_ngrams(self, nodes: tuple[int, ...], number: int) -> tuple[int, tuple[int, ...]]:
        """The longest n-gram that ends in the symbol, and the back-off weights of the longer contexts that lack it."""
        levels = self.ngrams.levels
        found: list[int] = []
        depth = 0
        for node in (0, *nodes):
            first, children, _, _ = levels[depth]
            end = first[node + 1]
            at = bisect_left(children, number, first[node], end)
            if at == end or children[at] != number:
                break
            found.append(at)
            depth += 1
        if not depth:
            return UNKNOWN, ()
        score = ZERO - levels[depth - 1].values[found[-1]]
        for longer in range(depth - 1, len(nodes)):
            score += ZERO - levels[longer].weights[nodes[longer]]
        while depth:
            first = levels[depth].first
            if first[found[-1]] < first[found[-1] + 1]:
                break
            found.pop()
            depth -= 1
        return score, tuple(found)

    def _next_words(self, words: tuple[Word, ...], number: int) -> tuple[int, tuple[Word, ...]]:
        """How much the best segmentation changes, and the words that may be under way behind the symbol."""
        levels = self.words.levels
        best = UNKNOWN
        longer = []
        for depth, node, before in words:
            first, children, values, _ = levels[depth]
            end = first[node + 1]
            at = bisect_left(children, number, first[node], end)
            if at == end or children[at] != number:
                continue
            packed = values[at]
            if packed != NO_VALUE and before + ZERO - packed > best:
                best = before + ZERO - packed
            first = levels[depth + 1].first
            if first[at] < first[at + 1]:
                longer.append((depth + 1, at, before))
        if not longer:
            return best, (NEW_WORD,)
        return best, (*[(depth, node, before - best) for depth, node, before in longer], NEW_WORD)


@cache
def default_model() -> LanguageModel:
    """The packed model that comes with the package, loaded once."""
    return LanguageModel.load(DATA)
