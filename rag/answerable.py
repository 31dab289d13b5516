"""Whether the knowledge base answers a question at all, as a calibrated probability from two plain measures."""

import math
from collections.abc import Sequence

from kb.lexical import terms

__all__ = ["coverage", "probability"]

# Fitted by tests/benchmarks/tune_retrieval.py; docs/retrieval.md says on what.
INTERCEPT, COVERAGE, STANDOUT = -2.9, 4.1, 6.1


def coverage(rarity: Sequence[tuple[str, float]], texts: Sequence[str]) -> float:
    """The largest share of the question's terms, the rarer the weightier, that one of the texts holds; 0 to 1."""
    total = sum(weight for _, weight in rarity)
    held = [set(terms(text)) for text in texts]
    masses = [sum(weight for term, weight in rarity if term in some) for some in held]
    return max(masses, default=0.0) / total if total else 0.0


def probability(coverage: float, standout: float) -> float:
    """Logistic regression on how much of the question one passage covers and how far the nearest one stands out."""
    return 1 / (1 + math.exp(-(INTERCEPT + COVERAGE * coverage + STANDOUT * standout)))
