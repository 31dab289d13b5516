"""Whether the knowledge base answers a question at all, as a calibrated probability from three plain measures."""

import math
import re
from collections.abc import Container
from typing import NamedTuple

from kb.segment import information
from kb.terms import HAN_START, content_words, terms
from kb.variants import variants_of

__all__ = ["Measures", "lacks_number", "probability", "unknown_share"]

# Fitted by tests/benchmarks/tune_abstention.py; docs/retrieval.md says on what. One weight for each of the measures.
INTERCEPT, WEIGHTS = -0.96, (11.55, -2.35, -5.0)

# How much words say, in nats: so little that a word may be missing anywhere; what a name says that no dictionary has.
COMMON, NAME, UNLISTED = 7.0, 10.0, 12.0

_ASKS_NUMBER = re.compile(
    r"多少|多[长大高快久]|几[年月天层张次倍岁]|哪一?年|是在?(?:什么时候|何时)"
    r"|how (?:many|much|long|large|big|tall|old)\b|^when (?:was|were|did)\b|what year",
    re.IGNORECASE,
)
_NUMBER = re.compile(  # which is not part of a name, as in GPT-4, GPT 3 / 4 or 2-bit
    r"(?<![A-Za-z\d_.\-/])(?<![A-Za-z] )(?<!/ )\d+(?:\.\d+)?(?![A-Za-z]*[-_.][A-Za-z])"
    r"|[百千万亿]|[二三四五六七八九十两][个种类年月天层张次倍岁]"
)


class Measures(NamedTuple):
    """What tells whether there is an answer, each from 0 to 1.

    `share` is the fused score of the best passage, `unknown` the share of the question that the knowledge base has no
    words for, `numberless` 1 if a number is asked for and the best passage has none.
    """

    share: float
    unknown: float
    numberless: float


def unknown_share(question: str, vocabulary: Container[str]) -> float:
    """The share of a question that the terms of the passages have no word for, in neither language.

    Words weigh by how much they say beyond common ones.
    """
    weighed = [(word, _says(word)) for word in dict.fromkeys(content_words(question))]
    total = sum(weight for _, weight in weighed)
    return sum(weight * (1 - _known(word, vocabulary)) for word, weight in weighed if weight) / total if total else 0.0


def lacks_number(question: str, text: str) -> bool:
    """Whether the question asks for a number and the text has none that is not a part of a name or of the question."""
    return bool(_ASKS_NUMBER.search(question)) and set(_NUMBER.findall(question)).issuperset(_NUMBER.findall(text))


def probability(measures: Measures) -> float:
    """Logistic regression on the measures."""
    logit = INTERCEPT + sum(weight * measure for weight, measure in zip(WEIGHTS, measures, strict=True))
    return 1 / (1 + math.exp(-logit))


def _known(word: str, vocabulary: Container[str]) -> float:
    """1 if a term of the word is there, else the weight of a translation that is."""
    if word in vocabulary:
        return 1.0
    found = terms(word)
    longer = [term for term in found if len(term) > 1] or found
    here = [1.0 for term in longer if term in vocabulary]
    return max(here or [w for term in longer for other, w in variants_of(term) if other in vocabulary], default=0.0)


def _says(word: str) -> float:
    said = (information(word) or UNLISTED) if HAN_START.match(word) else NAME
    return max(0.0, said - COMMON)
