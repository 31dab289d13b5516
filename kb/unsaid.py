"""How often an answer does without a word of its question: 特点 and 原因 mostly, 显存 and names hardly ever.

The table `unsaid.tsv` is learnt by `models/learn_unsaid.py`.
"""

from functools import cache
from pathlib import Path

from kb.terms import HAN_START

__all__ = ["is_listed", "prior", "unsaid_share"]

TABLE = Path(__file__).parent / "unsaid.tsv"
WORD, CHARACTER = 0.2, 0.15  # for words of which too few were met


def unsaid_share(word: str) -> float:
    """The share of answers, from 0 to 1, that do without this word of their question."""
    return _table().get(word.casefold(), prior(word))


def is_listed(word: str) -> bool:
    """Whether headings and questions have this word again and again, or English texts in lower case."""
    return word.casefold() in _table()


def prior(word: str) -> float:
    """What is taken of a word before any is met."""
    return CHARACTER if len(word) == 1 and HAN_START.match(word) else WORD


@cache
def _table() -> dict[str, float]:
    lines = (line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines())
    return {word: float(share) for word, share in lines}
