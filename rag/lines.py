"""How near the best lines of passages are to a question."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kb.records import Passage
from kb.store_values import Place
from models.embed import Embedder
from models.lines import best_line, line_vectors

__all__ = ["LineReader"]

REMEMBERED = 4096  # passages


class LineReader:
    """Reads passages line by line, from what was kept of their lines when they were taken in."""

    def __init__(self, kept: Callable[[Sequence[Place]], Sequence[bytes | None]], embedder: Embedder) -> None:
        """`kept` gives the vectors of the lines of passages; None where none were kept: they are made here."""
        self._kept, self._embedder = kept, embedder
        self._known: dict[Place, bytes] = {}

    def best(self, question: NDArray[np.float32], passages: Sequence[tuple[Place, Passage]]) -> list[float]:
        """The cosine of the question [dimension] and the line of each passage that is nearest to it."""
        remembered = self._known  # another thread may put an empty one in its place
        known = {place: remembered[place] for place, _ in passages if place in remembered}
        unknown = [(place, passage) for place, passage in passages if place not in known]
        if unknown:
            known |= self._read(unknown)
        return [best_line(question, known[place]) for place, _ in passages]

    def _read(self, passages: Sequence[tuple[Place, Passage]]) -> dict[Place, bytes]:
        kept = self._kept([place for place, _ in passages])
        found = {place: lines for (place, _), lines in zip(passages, kept, strict=True) if lines is not None}
        missing = [(place, passage) for place, passage in passages if place not in found]
        if missing:
            made = line_vectors([passage for _, passage in missing], self._embedder)
            found |= {place: lines for (place, _), lines in zip(missing, made, strict=True)}
        if len(self._known) + len(found) > REMEMBERED:
            self._known = {}
        self._known |= found
        return found
