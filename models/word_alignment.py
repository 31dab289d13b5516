"""Which words translate which, from sentences that say the same: IBM Model 1 (Brown et al. 1993) over sets of terms."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
LEAST_MET = 2  # sentences that a word must be in
UNALIGNED = 0.4  # of a word's weight in a sentence that no word of the other side accounts for, at a uniform start
DOUBT = 0.5  # added to what a probability is divided by: words that were met seldom get less

Bags = Sequence[tuple[Collection[str], Collection[str]]]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Translation:
    """A word of each language with the probability of the second given the first, the reverse, and how often both met.

    `met` is the smaller of the expected counts of either direction.
    """

    first: str
    second: str
    there: float
    back: float
    met: float


@dataclass(frozen=True)
class _Cells:
    """Every pair of words that one sentence has on its two sides: the sentence, both words, and which pair it is."""

    sentence: Numbers
    words: tuple[Numbers, Numbers]
    pair: Numbers
    of_pair: tuple[Numbers, Numbers]


def translations(bags: Bags) -> list[Translation]:
    """All pairs of words that some sentence has on both sides, in the order of the words."""
    names = tuple(_numbered([bag[side] for bag in bags]) for side in (0, 1))
    cells = _cells(bags, names)
    there, counts = _estimated(cells, 0, (len(names[0]), len(names[1])))
    back, counts_back = _estimated(cells, 1, (len(names[1]), len(names[0])))
    met = np.minimum(counts, counts_back)
    first, second = (list(side) for side in names)
    return [
        Translation(first[one], second[other], *map(float, values))
        for one, other, *values in zip(*cells.of_pair, there, back, met, strict=True)
    ]


def _numbered(bags: Sequence[Collection[str]]) -> dict[str, int]:
    counts = Counter(word for bag in bags for word in bag)
    return {word: number for number, word in enumerate(sorted(word for word, n in counts.items() if n >= LEAST_MET))}


def _cells(bags: Bags, names: tuple[dict[str, int], ...]) -> _Cells:
    sentences, firsts, seconds = [], [], []
    for place, bag in enumerate(bags):
        one, other = ([names[side][word] for word in sorted(bag[side]) if word in names[side]] for side in (0, 1))
        firsts.append(np.repeat(np.array(one, np.int64), len(other)))
        seconds.append(np.tile(np.array(other, np.int64), len(one)))
        sentences.append(np.full(len(one) * len(other), place))
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    pairs, pair = np.unique(first * len(names[1]) + second, return_inverse=True)
    return _Cells(np.concatenate(sentences), (first, second), pair, np.divmod(pairs, len(names[1])))


def _estimated(cells: _Cells, given: int, sizes: tuple[int, int]) -> tuple[Floats, Floats]:
    """For each pair P(other word | word of side `given`), and the expected count; expectation maximisation.

    `sizes` are the numbers of words of the side given and of the other one.
    """
    known, wanted = cells.of_pair[given], cells.words[1 - given]
    _, place = np.unique(cells.sentence * sizes[1] + wanted, return_inverse=True)
    probability: Floats = np.full(len(known), 1 / sizes[1])
    for _ in range(ROUNDS):
        counts = _expected(cells, place, probability, UNALIGNED / sizes[1])
        probability = counts / (np.bincount(known, counts, minlength=sizes[0])[known] + DOUBT)
    return probability, counts


def _expected(cells: _Cells, place: Numbers, probability: Floats, unaligned: float) -> Floats:
    """How often each pair of words is thought to be aligned; a word's weight in its sentence is shared out."""
    cell = probability[cells.pair]
    explained = np.bincount(place, cell) + unaligned
    counts: Floats = np.zeros(len(probability))
    np.add.at(counts, cells.pair, cell / explained[place])
    return counts
