"""Several rankings of the same things joined into one."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

__all__ = ["reciprocal_rank_fusion"]

T = TypeVar("T", bound=Hashable)


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[T]], weights: Sequence[float], constant: float = 60
) -> list[tuple[T, float]]:
    """The things of all rankings with their fused scores, best first; equal scores in the order of the first ranking.

    score(x) = sum over rankings of weight / (constant + rank of x), ranks from 1, nothing where x is missing: Cormack,
    Clarke and Büttcher 2009, with a weight for each ranking. A small constant trusts the first places more.
    """
    scores: dict[T, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, thing in enumerate(ranking, 1):
            scores[thing] = scores.get(thing, 0.0) + weight / (constant + rank)
    return sorted(scores.items(), key=lambda scored: -scored[1])
