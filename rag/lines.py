"""How near a passage's best line is to a question: one sentence, row or item may answer in a passage of much else."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kb.records import Passage
from models.embed import Embedder

__all__ = ["best_lines", "lines_of"]

_END = re.compile(r"(?<=[。！？!?；;])|\n")
SHORTEST = 4
LONGEST = 200  # characters of a line that are read
MOST = 10  # lines of one passage


def best_lines(question: NDArray[np.float32], passages: Sequence[Passage], embedder: Embedder) -> list[float]:
    """The cosine of the question [dimension] and the line of each passage that is nearest to it.

    A line is taken together with the heading that it stands below, half and half.
    """
    lines = [lines_of(passage.text) for passage in passages]
    headings = [passage.section[-1] if passage.section else "" for passage in passages]
    texts = list(dict.fromkeys([*headings, *(line for some in lines for line in some)]))
    vectors = embedder.embed_passages(texts)
    place = {text: number for number, text in enumerate(texts)}
    return [
        float(_cosines(question, vectors[[place[line] for line in some]], vectors[place[heading]]).max())
        for some, heading in zip(lines, headings, strict=True)
    ]


def lines_of(text: str) -> list[str]:
    """The first lines and sentences of a text; the whole if there is none."""
    lines = [line.strip() for line in _END.split(text)]
    return [line[:LONGEST] for line in lines if len(line) >= SHORTEST][:MOST] or [text[:LONGEST]]


def _cosines(
    question: NDArray[np.float32], lines: NDArray[np.float32], heading: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Cosines [lines] of the question [dimension] and each of the lines [lines, dimension] under the heading."""
    joined = lines + heading
    lengths = np.linalg.norm(joined, axis=1)
    cosines: NDArray[np.float32] = joined @ question / np.maximum(lengths, 1e-9)
    return cosines
