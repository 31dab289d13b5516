"""Dense and lexical rankings joined into one."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

__all__ = ["lexical_shares", "reciprocal_rank_fusion", "share_fusion", "standout", "standouts"]

T = TypeVar("T", bound=Hashable)


def share_fusion(shares: Sequence[Mapping[T, float]], weights: Sequence[float]) -> list[tuple[T, float]]:
    """All things with the weighted mean of their shares, best first; equal ones in the order of the first mapping.

    Each mapping gives shares from 0 to 1 on a scale that holds for all questions; a thing that it lacks has 0. Unlike
    ranks, shares say how good a match is: a question that no passage shares words with leaves the order to the
    embedding. A convex combination of scores normalised by theoretical bounds (Bruch, Gai and Ingber 2023).
    """
    fused: dict[T, float] = {}
    for mapping, weight in zip(shares, weights, strict=True):
        part = weight / sum(weights)
        for thing, share in mapping.items():
            fused[thing] = fused.get(thing, 0.0) + part * share
    return sorted(fused.items(), key=lambda scored: -scored[1])


def lexical_shares(scores: Mapping[T, float], ideal: float) -> dict[T, float]:
    """BM25 scores as shares of `ideal`, which a passage comes near to that holds all of the question's terms."""
    return {thing: score / ideal for thing, score in scores.items()} if ideal > 0 else {}


def standouts(cosines: Mapping[T, float]) -> dict[T, float]:
    """How far each cosine stands out of the background, the lowest one given, on the way to 1.

    Embedding models differ in how near to each other they put texts that have nothing in common.
    """
    background = min(cosines.values(), default=0.0)
    return {thing: standout(cosine, background) for thing, cosine in cosines.items()}


def standout(cosine: float, background: float) -> float:
    """How far a cosine is from the background on the way to 1; nothing below it."""
    return max(0.0, (cosine - background) / (1 - background)) if background < 1 else 0.0


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[T]], weights: Sequence[float], constant: float = 60
) -> list[tuple[T, float]]:
    """The things of all rankings with their fused scores, best first; equal scores in the order of the first ranking.

    score(x) = sum over rankings of weight / (constant + rank of x), ranks from 1, nothing where x is missing: Cormack,
    Clarke and Büttcher 2009, with a weight for each ranking. Kept to be measured against: see docs/retrieval.md.
    """
    scores: dict[T, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, thing in enumerate(ranking, 1):
            scores[thing] = scores.get(thing, 0.0) + weight / (constant + rank)
    return sorted(scores.items(), key=lambda scored: -scored[1])
