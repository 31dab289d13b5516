"""The places that the n-grams leave in doubt, looked at again with what the network makes of their surroundings."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ingest.mojibake.lattice import Certain, Choice, in_doubt
from ingest.mojibake.network import HIDDEN, UNKNOWN, Floats, Network
from ingest.mojibake.symbols import symbols

__all__ = ["WEIGHT", "number", "reconsider", "view"]

WEIGHT = 0.08  # exponent of the network's scores
AT_ONCE = 256  # places


def reconsider(decided: Sequence[Certain | Choice], network: Network) -> list[Certain | Choice]:
    """`decided` with its doubtful places decided once more: p(candidate) ~ posterior · network^WEIGHT.

    The network sees nothing of a doubtful place beside another one. All other places stay as they are.
    """
    doubtful = [n for n, piece in enumerate(decided) if in_doubt(piece)]
    seen, places = view(decided, frozenset(doubtful), network)
    result = list(decided)
    for first in range(0, len(doubtful), AT_ONCE):
        queries = network.queries(seen, places[first : first + AT_ONCE])
        for n, query in zip(doubtful[first : first + AT_ONCE], queries, strict=True):
            choice = decided[n]
            if isinstance(choice, Choice):
                result[n] = _weighed(choice, query, network)
    return result


def _weighed(choice: Choice, query: Floats, network: Network) -> Choice:
    candidates = [candidate for candidate, _ in choice.ranked]
    numbers = np.array([number(candidate, network) for candidate in candidates])
    logs = np.log([max(posterior, 1e-12) for _, posterior in choice.ranked]) + WEIGHT * network.scores(query, numbers)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    ranked = sorted(zip(candidates, shares.tolist(), strict=True), key=lambda pair: -pair[1])
    return replace(choice, text=ranked[0][0], ranked=tuple(ranked))


def view(
    decided: Iterable[Certain | Choice], hidden: Collection[int], network: Network
) -> tuple[NDArray[np.int64], list[int]]:
    """The text as the network sees it [symbols], and where in it the `hidden` pieces stand."""
    seen: list[int] = []
    places: list[int] = []
    for n, piece in enumerate(decided):
        if n in hidden:
            places.append(len(seen))
            seen.append(HIDDEN)
        else:
            seen += network.read(symbols(piece.text))
    return np.array(seen, np.int64), places


def number(candidate: str, network: Network) -> int:
    """A candidate's number; what is no symbol is unknown to the network."""
    text = symbols(candidate)
    return network.read(text)[0] if len(text) == 1 else UNKNOWN
