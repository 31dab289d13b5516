"""What else says what a term says: 适配器 and adapter, 渔业 and fishery, 关掉 and 禁用, 谷歌 and Google.

`variants.tsv` is learnt by `models/learn_variants.py`. The other tables are written by hand, for Chinese and English in
general and without regard to any document: each line of `synonyms.tsv` has terms of one meaning, each of
`dictionary.tsv` an English word with its translations, and `kb/names.py` has the names of things. Each line of
`opposites.tsv` has words of two opposite meanings.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import permutations
from pathlib import Path

from kb.names import names

__all__ = ["opposites_of", "translations", "variants_of"]

TRANSLATIONS, DICTIONARY, SYNONYMS, OPPOSITES = (
    Path(__file__).parent / f"{name}.tsv" for name in ("variants", "dictionary", "synonyms", "opposites")
)
MOST = 6  # translations of one term that are learnt
LEAST = 0.15
# What a translation of the dictionary weighs, and a synonym: which meaning is meant is not known; and another name.
TRANSLATED, SYNONYM, NAME = 0.7, 0.6, 0.9


@lru_cache(maxsize=1 << 14)
def variants_of(term: str) -> tuple[tuple[str, float], ...]:
    """The terms that say what this one says, the surest first, each with a weight from 0 to 1.

    An English word that no table has says what those say that it may be an inflected form of.
    """
    table = _variants()
    found = table.get(term, {})
    if not found and term.isascii() and term.isalpha():
        for base in _bases(term):
            found = found | {base: SYNONYM} | table[base] if base in table else found
    return tuple(sorted(found.items(), key=lambda each: -each[1]))


def opposites_of(term: str) -> frozenset[str]:
    """The terms by which a question whether something is so may be answered with no: 闭源 for 开源."""
    return _opposites().get(term, frozenset())


@cache
def _opposites() -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in _rows(OPPOSITES):
        for one, other in permutations([words.split(" ") for words in row], 2):
            for term in one:
                found[term].update(other)
    return {term: frozenset(others) for term, others in found.items()}


def _bases(word: str) -> Iterator[str]:
    """What an English word may be the past, the participle or the gerund of."""
    for ending in ("ed", "ing"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            yield from (stem, f"{stem}e")
            if stem[-1] == stem[-2]:
                yield stem[:-1]
            if stem.endswith("i"):
                yield f"{stem[:-1]}y"


@cache
def _variants() -> dict[str, dict[str, float]]:
    found = translations()
    translated = (pair for word, *others in _rows(DICTIONARY) for pair in ((word, other) for other in others))
    for weight, pairs in (
        (TRANSLATED, (pair for one, other in translated for pair in ((one, other), (other, one)))),
        (SYNONYM, (pair for group in _rows(SYNONYMS) for pair in permutations(group, 2))),
        (NAME, (pair for group in names() for pair in permutations(group, 2))),
    ):
        for term, other in pairs:
            of_term = found.setdefault(term, {})
            of_term[other] = max(of_term.get(other, 0.0), weight)
    return found


def _rows(table: Path) -> Iterator[list[str]]:
    return (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines())


def translations() -> dict[str, dict[str, float]]:
    """The translations of each term, with their weights.

    Each line of the table is: English, Chinese, P(Chinese | English), P(English | Chinese).

    A translation weighs as much as its share of the likeliest one's probability; or as the probability that it means
    this and nothing else, if that is more.
    """
    found: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for english, chinese, there, back in _rows(TRANSLATIONS):
        found[english].append((chinese, float(there), float(back)))
        found[chinese].append((english, float(back), float(there)))
    return {term: _weighed(translations) for term, translations in found.items()}


def _weighed(translations: list[tuple[str, float, float]]) -> dict[str, float]:
    likeliest = max(there for _, there, _ in translations)
    weights = [(other, max(there / likeliest, back)) for other, there, back in translations]
    kept = sorted((each for each in weights if each[1] >= LEAST), key=lambda each: -each[1])
    return dict(kept[:MOST])
