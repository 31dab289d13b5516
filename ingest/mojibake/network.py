"""A small neural network that tells which character fits between its neighbours.

It reads `AROUND` symbols on either side, each at its place, and the mean of `FAR` symbols on either side for what the
text is about: a feed-forward network over concatenated embeddings (Bengio et al. 2003) with both sides of the gap and
residual blocks. All that is needed to run it is a few matrix products, done here with numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

__all__ = ["AROUND", "DATA", "FAR", "HIDDEN", "UNKNOWN", "Network", "default_network"]

DATA = Path(__file__).parent / "network.safetensors"
AROUND = 16
FAR = 96
UNKNOWN, HIDDEN = 0, 1  # a symbol that training hardly saw; one that is not to be looked at

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Network:
    """The weights [outputs, inputs] by their names in training, and the number of each symbol."""

    weights: dict[str, Floats]
    numbers: dict[str, int]

    @classmethod
    def load(cls, path: Path) -> Self:
        from safetensors.numpy import load_file

        tensors = load_file(path)
        vocabulary = tensors.pop("vocabulary").tobytes().decode("utf-8")
        weights = {name: values.astype(np.float32) for name, values in tensors.items()}
        return cls(weights, {symbol: number for number, symbol in enumerate(vocabulary)})

    def read(self, text: str) -> list[int]:
        """The numbers of the symbols of a text."""
        return [self.numbers.get(symbol, UNKNOWN) for symbol in text]

    def queries(self, seen: NDArray[np.int64], places: Sequence[int]) -> Floats:
        """What each of `places` asks for [places, query]; `seen` [symbols] may go on for less than `FAR` around it.

        Beyond both ends of `seen` the network sees `HIDDEN`.
        """
        with _threads().limit(limits=1):  # the products are small, and must not depend on how many cores there are
            return self._queries(seen, places)

    def _queries(self, seen: NDArray[np.int64], places: Sequence[int]) -> Floats:
        weights = self.weights
        padded = np.pad(seen, FAR, constant_values=HIDDEN)
        at = np.asarray(places)[:, None] + FAR
        table = weights["embedding.weight"]
        around = np.array([n for n in range(-AROUND, AROUND + 1) if n])
        near = table[padded[at + around]].reshape(len(places), -1)
        sums = np.pad(table[padded].cumsum(0), ((1, 0), (0, 0)))
        at = at[:, 0]
        far = (sums[at + FAR + 1] - sums[at - FAR] - table[padded[at]]) / (2 * FAR)
        hidden = _relu(self._linear("near", near) + far @ weights["far.weight"].T)
        for block in range(sum(name.endswith("up.weight") for name in weights)):
            up = self._linear(f"blocks.{block}.up", self._normal(f"blocks.{block}.norm", hidden))
            hidden = hidden + self._linear(f"blocks.{block}.down", _relu(up))
        return self._linear("query", self._normal("norm", hidden))

    def scores(self, query: Floats, candidates: NDArray[np.int64]) -> Floats:
        """How well each of `candidates` [candidates] answers a query, as log-probabilities but for a constant."""
        scores: Floats = self.weights["symbol.weight"][candidates] @ query + self.weights["symbol.bias"][candidates]
        return np.where(candidates == UNKNOWN, self.weights["unknown"], scores)

    def _linear(self, name: str, inputs: Floats) -> Floats:
        outputs: Floats = inputs @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return outputs

    def _normal(self, name: str, hidden: Floats) -> Floats:
        """Layer normalisation (Ba et al. 2016)."""
        centred = hidden - hidden.mean(1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
        outputs: Floats = scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return outputs


def _relu(inputs: Floats) -> Floats:
    return np.maximum(inputs, 0, out=inputs)


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def default_network() -> Network:
    """The network that comes with the package, loaded once."""
    return Network.load(DATA)
