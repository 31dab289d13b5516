"""What else says what a term says: 适配器 and adapter, as translations teach; 关掉 and 禁用, as the thesaurus has it; 谷歌
and Google, as names have it.

`variants.tsv` is learnt by `models/learn_variants.py`; `synonyms.tsv` is written by hand, for Chinese and English in
general and without regard to any document: each line has terms of one meaning.
"""

from collections import defaultdict
from functools import cache
from itertools import permutations
from pathlib import Path

from kb.names import names

__all__ = ["translations", "variants_of"]

TRANSLATIONS = Path(__file__).parent / "variants.tsv"
SYNONYMS = Path(__file__).parent / "synonyms.tsv"
MOST = 6  # translations of one term
LEAST = 0.15
SYNONYM = 0.6  # what a synonym weighs, of which the meaning that is meant here is not known
NAME = 0.9  # what another name of the same thing weighs


def variants_of(term: str) -> tuple[tuple[str, float], ...]:
    """The terms that say what this one says, the surest first, each with a weight from 0 to 1."""
    return _variants().get(term, ())


@cache
def _variants() -> dict[str, tuple[tuple[str, float], ...]]:
    found = translations()
    synonyms = (line.split("\t") for line in SYNONYMS.read_text(encoding="utf-8").splitlines())
    for weight, groups in ((SYNONYM, synonyms), (NAME, names())):
        for group in groups:
            for term, other in permutations(group, 2):
                of_term = found.setdefault(term, {})
                of_term[other] = max(of_term.get(other, 0.0), weight)
    return {term: tuple(sorted(variants.items(), key=lambda each: -each[1])) for term, variants in found.items()}


def translations() -> dict[str, dict[str, float]]:
    """The translations of each term, with their weights.

    Each line of the file is: English, Chinese, P(Chinese | English), P(English | Chinese).

    A translation weighs as much as its share of the likeliest one's probability; or as the probability that it means
    this and nothing else, if that is more.
    """
    found: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for line in TRANSLATIONS.read_text(encoding="utf-8").splitlines():
        english, chinese, there, back = line.split("\t")
        found[english].append((chinese, float(there), float(back)))
        found[chinese].append((english, float(back), float(there)))
    return {term: _weighed(translations) for term, translations in found.items()}


def _weighed(translations: list[tuple[str, float, float]]) -> dict[str, float]:
    likeliest = max(there for _, there, _ in translations)
    weights = [(other, max(there / likeliest, back)) for other, there, back in translations]
    kept = sorted((each for each in weights if each[1] >= LEAST), key=lambda each: -each[1])
    return dict(kept[:MOST])
