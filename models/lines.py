"""Passages line by line: the vectors of their lines, small enough to be kept beside the passages' own.

One sentence, row or item may answer in a passage of much else; a line is taken together with the heading it is below.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kb.records import Passage
from models.embed import Embedder

__all__ = ["best_line", "line_vectors", "lines_of"]

_END = re.compile(r"(?<=[。！？!?；;])|\n")
SHORTEST = 4
LONGEST = 200  # characters of a line that are read
MOST = 10  # lines of one passage
LARGEST = 127  # what the largest number of a passage's vectors becomes


def lines_of(text: str) -> list[str]:
    """The first lines and sentences of a text; the whole if there is none."""
    lines = [line.strip() for line in _END.split(text)]
    return [line[:LONGEST] for line in lines if len(line) >= SHORTEST][:MOST] or [text[:LONGEST]]


def line_vectors(passages: Sequence[Passage], embedder: Embedder) -> list[bytes]:
    """For each passage the unit vectors of its lines, each together with the heading that it stands below.

    They are kept as one float32, the scale, and then int8 [lines, dimension] to be multiplied with it.
    """
    lines = [lines_of(passage.text) for passage in passages]
    headings = [passage.section[-1] if passage.section else "" for passage in passages]
    texts = list(dict.fromkeys([*headings, *(line for some in lines for line in some)]))
    vectors = embedder.embed_passages(texts)
    place = {text: number for number, text in enumerate(texts)}
    return [
        _packed(vectors[[place[line] for line in some]] + vectors[place[heading]])
        for some, heading in zip(lines, headings, strict=True)
    ]


def best_line(question: NDArray[np.float32], lines: bytes) -> float:
    """The cosine of the question [dimension] and the nearest of the lines that `line_vectors` gave."""
    numbers = np.frombuffer(lines, np.int8, offset=4).reshape(-1, len(question)).astype(np.float32)
    return float((numbers @ question).max() * np.frombuffer(lines, np.float32, 1)[0])


def _packed(joined: NDArray[np.float32]) -> bytes:
    unit = joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-9)
    scale = np.float32(max(float(np.abs(unit).max()), 1e-9) / LARGEST)
    return bytes(scale.tobytes() + np.rint(unit / scale).astype(np.int8).tobytes())
