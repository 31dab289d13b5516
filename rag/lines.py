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
MOST = 24  # lines of one passage


def best_lines(question: NDArray[np.float32], passages: Sequence[Passage], embedder: Embedder) -> list[float]:
    """The cosine of the question [dimension] and the line of each passage that is nearest to it."""
    lines = [lines_of(passage) for passage in passages]
    cosines = embedder.embed_passages([line for some in lines for line in some]) @ question
    ends = np.cumsum([len(some) for some in lines])
    return [float(some.max()) for some in np.split(cosines, ends[:-1])] if passages else []


def lines_of(passage: Passage) -> list[str]:
    """The lines and sentences of a passage, each under the heading that it stands below; the whole if there is none."""
    heading = passage.section[-1] if passage.section else ""
    lines = [line.strip() for line in _END.split(passage.text)]
    kept = [line for line in lines if len(line) >= SHORTEST][:MOST] or [passage.text]
    return [f"{heading} / {line}" if heading else line for line in kept]
