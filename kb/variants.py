"""What a term is called in the other language, as translations teach: 适配器 and adapter, 微调 and fine-tuning.

The table `variants.tsv` is learnt by `models/learn_variants.py`.
"""

from collections import defaultdict
from functools import cache
from pathlib import Path

__all__ = ["variants_of"]

TABLE = Path(__file__).parent / "variants.tsv"
MOST = 6  # variants of one term
LEAST = 0.15


def variants_of(term: str) -> tuple[tuple[str, float], ...]:
    """The terms that say what this one says, the surest first, each with a weight from 0 to 1."""
    return _table().get(term, ())


@cache
def _table() -> dict[str, tuple[tuple[str, float], ...]]:
    """Each line of the file is: English, Chinese, P(Chinese | English), P(English | Chinese).

    A translation weighs as much as its share of the likeliest one's probability; or as the probability that it means
    this and nothing else, if that is more.
    """
    found: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        english, chinese, there, back = line.split("\t")
        found[english].append((chinese, float(there), float(back)))
        found[chinese].append((english, float(back), float(there)))
    return {term: _weighed(translations) for term, translations in found.items()}


def _weighed(translations: list[tuple[str, float, float]]) -> tuple[tuple[str, float], ...]:
    likeliest = max(there for _, there, _ in translations)
    weights = [(other, max(there / likeliest, back)) for other, there, back in translations]
    kept = sorted((each for each in weights if each[1] >= LEAST), key=lambda each: -each[1])
    return tuple(kept[:MOST])
