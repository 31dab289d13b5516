"""A trie of symbol sequences in flat arrays, a level for each length, with one or two numbers at each node.

A node's children are `symbols[first[node]:first[node + 1]]` of the next level, sorted, so a child is found by
bisection; on disk only the number of children is kept, which packs well. Numbers are kept in 8 bits.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["NONE", "NO_VALUE", "STEP", "ZERO", "Level", "Packed", "Trie", "pack"]

STEP = 0.08  # nats; a byte q stands for ZERO - q steps, from +1.2 down to -19.1 nats
ZERO = 15
NO_VALUE = 255
NONE = ZERO - NO_VALUE


@dataclass(frozen=True)
class Level:
    """All nodes of one depth: `children` [nodes above], `symbols`, `values` and `weights` [nodes], in nats.

    A value of NaN marks a node that only leads to others.
    """

    children: NDArray[np.uint16]
    symbols: NDArray[np.uint16]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]


class Packed(NamedTuple):
    """A level as it is looked up: `symbols[first[n]:first[n + 1]]` lead on from node n of the level above."""

    first: "array[int]"
    symbols: "array[int]"
    values: bytes
    weights: bytes


class Trie:
    """Looks up children and numbers; the node of the empty sequence is 0 at depth 0.

    `levels[depth]` leads from depth to depth + 1, so that a hot loop may look things up by itself; a byte q of its
    values and weights stands for ZERO - q steps. The last level leads nowhere.
    """

    def __init__(self, arrays: dict[str, NDArray[np.uint8] | NDArray[np.uint16]], name: str) -> None:
        self.depth = sum(key.startswith(f"{name}.symbols.") for key in arrays)
        self.levels: list[Packed] = []
        for n in range(self.depth):
            starts = np.concatenate([[0], np.cumsum(arrays[f"{name}.children.{n}"], dtype=np.int64)])
            self.levels.append(
                Packed(
                    array("I", starts.astype(np.uint32).tobytes()),
                    array("H", arrays[f"{name}.symbols.{n}"].tobytes()),
                    arrays[f"{name}.values.{n}"].tobytes(),
                    arrays[f"{name}.weights.{n}"].tobytes(),
                )
            )
        self.levels.append(Packed(array("I", bytes(4 * (len(self.levels[-1].symbols) + 1))), array("H"), b"", b""))

    def child(self, depth: int, node: int, symbol: int) -> int:
        """The node at `depth + 1` that `symbol` leads to from `node`, or -1."""
        first, symbols, _, _ = self.levels[depth]
        end = first[node + 1]
        at = bisect_left(symbols, symbol, first[node], end)
        return at if at < end and symbols[at] == symbol else -1

    def value(self, depth: int, node: int) -> int:
        """The number at a node in steps, or NONE."""
        packed = self.levels[depth - 1].values[node]
        return NONE if packed == NO_VALUE else ZERO - packed


def pack(levels: Sequence[Level], name: str) -> dict[str, NDArray[np.uint8] | NDArray[np.uint16]]:
    """The arrays of a trie as `Trie` takes them, for `numpy.savez`."""
    arrays: dict[str, NDArray[np.uint8] | NDArray[np.uint16]] = {}
    for n, level in enumerate(levels):
        arrays[f"{name}.children.{n}"] = level.children
        arrays[f"{name}.symbols.{n}"] = level.symbols
        arrays[f"{name}.values.{n}"] = _quantised(level.values)
        arrays[f"{name}.weights.{n}"] = _quantised(level.weights)
    return arrays


def _quantised(numbers: NDArray[np.float64]) -> NDArray[np.uint8]:
    steps = np.clip(np.rint(ZERO - numbers / STEP), 0, NO_VALUE - 1)
    return np.where(np.isnan(numbers), NO_VALUE, steps).astype(np.uint8)
