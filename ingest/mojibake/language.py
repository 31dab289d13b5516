"""How likely a text is as language: character n-grams and words, log-linear, behind one small protocol.

States are built when they are first met and kept, each with its transitions, so that scoring a symbol that was scored
before in the same state is one look-up.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from ingest.mojibake.symbols import NEWLINE
from ingest.mojibake.trie import NONE, STEP, Trie

__all__ = ["LanguageModel", "Scorer", "State", "Weights", "default_model"]

DATA = Path(__file__).parent / "language.npz"
UNKNOWN = -250  # in the trie's steps: a symbol that is in no n-gram or no list of words
NEW_WORD = (0, 0, 0)
MOST_STATES = 300_000  # about 200 MB; then those built so far are forgotten


@dataclass(eq=False, slots=True)
class State:
    """What of the text so far decides how the next symbols score; equal histories give the same object.

    `ngrams` are the nodes of the last 1, 2, … symbols, as far as longer n-grams go on from them. `words` are the words
    that may be under way: (symbols read, node, the best segmentation's score before the word less the one up to here).
    """

    ngrams: tuple[int, ...]
    words: tuple[tuple[int, int, int], ...]
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


class LanguageModel:
    """p(text) ~ ngrams(text)^a * words(text)^b.

    `ngrams` is a back-off model; `words` the likeliest segmentation of the text into words, each drawn on its own, kept
    up to date symbol by symbol (Viterbi), so that the score of a text does not depend on how it was cut up.
    """

    def __init__(self, vocabulary: str, ngrams: Trie, words: Trie, weights: Weights) -> None:
        self.vocabulary, self.ngrams, self.words, self.weights = vocabulary, ngrams, words, weights
        self._number = {symbol: number for number, symbol in enumerate(vocabulary, 1)}
        self._states: dict[tuple[tuple[int, ...], tuple[tuple[int, int, int], ...]], State] = {}

    @classmethod
    def load(cls, path: Path, weights: Weights = Weights()) -> Self:
        with np.load(path) as packed:
            arrays = dict(packed)
        vocabulary = arrays.pop("vocabulary").tobytes().decode("utf-8")
        return cls(vocabulary, Trie(arrays, "ngrams"), Trie(arrays, "words"), weights)

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

    def _state(self, ngrams: tuple[int, ...], words: tuple[tuple[int, int, int], ...]) -> State:
        key = (ngrams, words)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = State(ngrams, words)
        return state

    def _step(self, state: State, symbol: str) -> tuple[float, State]:
        number = self._number.get(symbol, 0)
        ngram_score, ngrams = self._next_ngrams(state.ngrams, number)
        word_score, words = self._next_words(state.words, number)
        score = STEP * (self.weights.ngrams * ngram_score + self.weights.words * word_score)
        return score, self._state(ngrams, words)

    def _next_ngrams(self, nodes: tuple[int, ...], number: int) -> tuple[int, tuple[int, ...]]:
        """The longest n-gram that ends in the symbol, and the back-off weights of the longer contexts that lack it."""
        found: list[int] = []
        for depth, node in enumerate((0, *nodes)):
            child = self.ngrams.child(depth, node, number)
            if child < 0:
                break
            found.append(child)
        if not found:
            return UNKNOWN, ()
        score = self.ngrams.value(len(found), found[-1])
        for depth in range(len(found), len(nodes) + 1):
            score += self.ngrams.weight(depth, nodes[depth - 1])
        while found and not self.ngrams.has_children(len(found), found[-1]):
            found.pop()
        return score, tuple(found)

    def _next_words(
        self, words: tuple[tuple[int, int, int], ...], number: int
    ) -> tuple[int, tuple[tuple[int, int, int], ...]]:
        """How much the best segmentation changes, and the words that may be under way behind the symbol."""
        best = UNKNOWN
        longer = []
        for depth, node, before in words:
            child = self.words.child(depth, node, number)
            if child < 0:
                continue
            value = self.words.value(depth + 1, child)
            if value != NONE:
                best = max(best, before + value)
            if self.words.has_children(depth + 1, child):
                longer.append((depth + 1, child, before))
        return best, (*((depth, node, before - best) for depth, node, before in longer), NEW_WORD)


@cache
def default_model() -> LanguageModel:
    """The packed model that comes with the package, loaded once."""
    return LanguageModel.load(DATA)
