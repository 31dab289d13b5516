"""Measures of retrieval and of answers, per question; text is compared as the questions' authors compare it.

Relevance is binary. A ranking is given as one flag for each passage, best first; `total` is how many relevant passages
there are to be found. Definitions follow Manning, Raghavan and Schütze (2008, *Introduction to Information Retrieval*,
chapter 8); nDCG is that of Järvelin and Kekäläinen (2002) with a discount of log2(rank + 1).
"""

import math
import re
from collections.abc import Iterable, Sequence

from kb.records import Passage

__all__ = [
    "bare",
    "evidence",
    "grounded",
    "hit",
    "holds",
    "ndcg",
    "recall",
    "reciprocal_rank",
    "says",
    "showable",
    "unmarked",
]

_UNREAD = re.compile(r"[\s*\\`|#]")
_MARK = re.compile(r"\[\d+\]")

EVIDENCE_CHARS = 800
ANSWER_CHARS = 300
GRAM = 4


def bare(text: str) -> str:
    """A text without white space and Markdown's marks, in one case."""
    return _UNREAD.sub("", text).casefold()


def holds(text: str, gold: Iterable[str]) -> bool:
    """Whether one of the strings stands in a text."""
    within = bare(text)
    return any(bare(one) in within for one in gold)


def hit(relevant: Sequence[bool], k: int) -> bool:
    """Whether one of the first `k` is relevant."""
    return any(relevant[:k])


def reciprocal_rank(relevant: Sequence[bool]) -> float:
    """1 / the rank of the first relevant one, 0 if there is none."""
    return next((1 / rank for rank, flag in enumerate(relevant, 1) if flag), 0.0)


def recall(relevant: Sequence[bool], total: int, k: int) -> float:
    """How many of all relevant ones are among the first `k`, as a share."""
    return sum(relevant[:k]) / total if total else 0.0


def ndcg(relevant: Sequence[bool], total: int, k: int) -> float:
    """The discounted gain of the first `k` as a share of that with all relevant ones in front."""
    gain = sum(1 / math.log2(rank + 1) for rank, flag in enumerate(relevant[:k], 1) if flag)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(total, k) + 1))
    return gain / ideal if ideal else 0.0


def evidence(texts: Iterable[str], gold: Iterable[str], chars: int = EVIDENCE_CHARS) -> bool:
    """Whether a gold string stands in the first `chars` characters of ranked passages laid end to end."""
    kept: list[str] = []
    for text in texts:
        if chars <= 0:
            break
        kept.append(text[:chars])
        chars -= len(kept[-1])
    return holds("\n".join(kept), gold)


def showable(passages: Iterable[tuple[Passage, str]], gold: Iterable[str]) -> int:
    """How many passages that hold a gold string can be shown together, none of which overlaps another.

    Each passage comes with its bare text. One may stand inside another, as a row in its table, and a search shows one
    of them: so this, and not the number of all that hold the string, is what recall is a share of. Taking those that
    end first gives the most (interval scheduling).
    """
    wanted = [bare(one) for one in gold]
    relevant = [passage for passage, text in passages if any(one in text for one in wanted)]
    found, ends = 0, dict[str, int]()
    for passage in sorted(relevant, key=lambda each: each.end):
        if passage.start >= ends.get(passage.document_id, 0):
            ends[passage.document_id] = passage.end
            found += 1
    return found


def unmarked(answer: str) -> str:
    """An answer without its citation marks."""
    return _MARK.sub("", answer)


def says(answer: str, must: Iterable[Sequence[str]], chars: int = ANSWER_CHARS) -> bool:
    """Whether the first `chars` characters of an answer, its citation marks removed, hold one of each group."""
    said = bare(unmarked(answer)[:chars])
    return all(any(bare(one) in said for one in group) for group in must)


def grounded(answer: str, passages: str) -> float:
    """The share of the answer's letters and digits that stand in the passages in runs of four or more.

    Citation marks, punctuation and white space don't count.
    """
    said, known = _letters(answer), _letters(passages)
    if not said:
        return 0.0
    grams = {known[i : i + GRAM] for i in range(len(known) - GRAM + 1)}
    covered = [False] * len(said)
    for i in range(len(said) - GRAM + 1):
        if said[i : i + GRAM] in grams:
            covered[i : i + GRAM] = [True] * GRAM
    return round(sum(covered) / len(said), 4)


def _letters(text: str) -> str:
    return re.sub(r"\[\d+\]|[\W_]", "", text).casefold()
