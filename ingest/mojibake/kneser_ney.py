"""Estimates an interpolated modified Kneser–Ney n-gram model and prunes it to a given size.

Chen & Goodman (1999), "An empirical study of smoothing techniques for language modeling", section 3.2, with three
discounts per order. Pruning is the weighted difference of Seymore & Rosenfeld (1996): an n-gram stays when
`count * (log p(w|h) - log(backoff(h) p(w|h')))` is large; what a kept n-gram rests on is kept as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.mojibake.trie import Level

__all__ = ["estimate"]

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass
class Order:
    """The distinct n-grams of one length n, sorted by prefix and then by last symbol.

    `prefix` and `suffix` [n-grams] index the (n-1)-grams without the last and without the first symbol, `count` is how
    often the n-gram stands in the text, `weight` is what is smoothed: the count at the highest order, below it the
    number of different symbols that stand before the n-gram.
    """

    prefix: Ids
    symbol: Ids
    suffix: Ids
    count: Ids
    weight: Ids
    probability: Floats
    backoff: Floats


def estimate(ids: NDArray[np.uint16], vocabulary: int, keep: Sequence[int]) -> list[Level]:
    """The levels of a packed model of `len(keep)` orders with at most about `keep[n]` n-grams of each.

    Args:
        ids: the training text as symbol numbers below `vocabulary` [symbols].
        vocabulary: how many symbol numbers there are.
        keep: the number of n-grams that stay, for each order from 1.
    """
    orders = _smooth(_count(ids.astype(np.int64), vocabulary, len(keep)), vocabulary)
    kept = _prune(orders, keep)
    return _pack(orders, kept)


def _count(ids: Ids, vocabulary: int, highest: int) -> list[Order]:
    orders: list[Order] = []
    beginning = np.zeros(len(ids) + 1, np.int64)  # index of the (n-1)-gram that begins at each place; all 0 for n = 1
    for n in range(1, highest + 1):
        symbols = ids[n - 1 :]
        keys = beginning[: len(symbols)] * vocabulary + symbols
        unique, first, inverse, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        prefix = unique // vocabulary
        suffix = beginning[first + 1] if n > 1 else np.zeros(len(unique), np.int64)
        empty = np.zeros(len(unique))
        orders.append(Order(prefix, unique % vocabulary, suffix, count, count.copy(), empty, empty.copy()))
        if n > 1:
            orders[-2].weight = np.maximum(np.bincount(suffix, minlength=len(orders[-2].count)), 1)
        beginning = inverse
    return orders


def _smooth(orders: list[Order], vocabulary: int) -> list[Order]:
    lower = np.array([1.0 / vocabulary])
    contexts = 1
    for order in orders:
        discounts = _discounts(order.weight)
        discount = discounts[np.minimum(order.weight, 3)]
        total = np.bincount(order.prefix, order.weight, contexts)
        freed = np.bincount(order.prefix, discount, contexts) / np.maximum(total, 1)
        order.probability = (order.weight - discount) / total[order.prefix] + freed[order.prefix] * lower[order.suffix]
        lower, contexts = order.probability, len(order.count)
    return orders


def _discounts(weight: Ids) -> Floats:
    """D(0), D(1), D(2), D(3+) of modified Kneser–Ney, from how many n-grams were seen once to four times."""
    n1, n2, n3, n4 = (max(int((weight == times).sum()), 1) for times in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    discounts: Floats = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return np.minimum(np.maximum(discounts, [0.0, 0.1, 0.1, 0.1]), [0.0, 1.0, 2.0, 3.0])


def _prune(orders: list[Order], keep: Sequence[int]) -> list[NDArray[np.bool_]]:
    kept = [np.zeros(len(order.count), bool) for order in orders]
    kept[0][:] = True
    for n in range(len(orders) - 1, 0, -1):
        order = orders[n]
        gain = order.count * np.log(order.probability / orders[n - 1].probability[order.suffix])
        if len(gain) > keep[n]:
            kept[n] |= gain > np.partition(gain, -keep[n])[-keep[n]]
        else:
            kept[n][:] = True
        kept[n - 1][order.prefix[kept[n]]] = True
        kept[n - 1][order.suffix[kept[n]]] = True
    return kept


def _pack(orders: list[Order], kept: list[NDArray[np.bool_]]) -> list[Level]:
    """Keeps what `kept` marks, with back-off weights that make the kept probabilities sum to one again."""
    levels = []
    for n, (order, mask) in enumerate(zip(orders, kept, strict=True)):
        if n > 0:
            below = orders[n - 1]
            contexts = len(below.count)
            prefix, suffix = order.prefix[mask], order.suffix[mask]
            seen = np.bincount(prefix, order.probability[mask], contexts)
            seen_below = np.bincount(prefix, below.probability[suffix], contexts)
            below.backoff = np.log(np.maximum(1 - seen, 1e-6) / np.maximum(1 - seen_below, 1e-6))
    renumbered = np.zeros(1, np.int64)
    parents = 1
    for order, mask in zip(orders, kept, strict=True):
        children = np.bincount(renumbered[order.prefix[mask]], minlength=parents)
        levels.append(
            Level(
                children.astype(np.uint16),
                order.symbol[mask].astype(np.uint16),
                np.log(order.probability[mask]),
                order.backoff[mask],
            )
        )
        renumbered = np.cumsum(mask) - 1
        parents = int(mask.sum())
    return levels
