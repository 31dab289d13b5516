"""Verbatim pieces of retrieved passages, and which of them answer a question."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kb.lexical import terms
from kb.records import Hit, Passage

_SENTENCE = re.compile(r"(?:[^。！？!?；\n.]|\.(?!\s))+[。！？!?；.]*[”’」』）)]*")
_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+", flags=re.MULTILINE)
_LONGEST_WHOLE = 240


@dataclass(frozen=True)
class Piece:
    """A quotable stretch of a passage: `hit.passage.text[start:end]`, offsets from the passage's own start."""

    hit: Hit
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.hit.passage.text[self.start : self.end]


@dataclass(frozen=True)
class Weights:
    """How much each score counts for a piece; chosen on held-out reading questions (docs/answers.md)."""

    overlap: float = 1.0
    likelihood: float = 0.35
    retrieval: float = 0.5


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of sentences, in order, without the white space around them."""
    for found in _SENTENCE.finditer(text):
        start, end = found.start(), found.end()
        stripped = text[start:end].strip()
        if stripped:
            start += len(text[start:end]) - len(text[start:end].lstrip())
            yield start, start + len(stripped)


def pieces(hits: Sequence[Hit]) -> list[Piece]:
    """The quotable pieces of all hits, each stretch of a document once, best hit first."""
    found: list[Piece] = []
    for hit in hits:
        for start, end in _spans(hit.passage):
            piece = Piece(hit, start, end)
            if not any(_overlap(piece, other) for other in found):
                found.append(piece)
    return found


def _spans(passage: Passage) -> Iterator[tuple[int, int]]:
    text = passage.text
    if passage.kind in ("table_row", "code"):
        yield _trimmed(text, 0, len(text))
    elif passage.kind == "table":
        lines = list(re.finditer(r"[^\n]+", text))
        yield from (_trimmed(text, *line.span()) for line in lines[2:])
    elif passage.kind == "list":
        starts = [found.start() for found in _ITEM.finditer(text)] or [0]
        yield from (_trimmed(text, a, b) for a, b in zip(starts, [*starts[1:], len(text)], strict=True))
    else:
        yield from sentences(text)


def overlaps(question: str, candidates: Sequence[Piece]) -> NDArray[np.float64]:
    """For each piece the share of the question's terms that it or its context holds, rare terms counting more.

    The weight of a term is its inverse document frequency among the candidates.
    """
    held = [set(terms(f"{piece.hit.passage.context}\n{piece.text}")) for piece in candidates]
    frequency = Counter(term for having in held for term in having)
    weight = {term: math.log(1 + len(held) / (0.5 + frequency[term])) for term in set(terms(question))}
    total = sum(weight.values()) or 1.0
    return np.array([sum(weight[term] for term in weight.keys() & having) / total for having in held])


def rank(
    question: str,
    candidates: Sequence[Piece],
    likelihood: NDArray[np.float64] | None,
    weights: Weights,
) -> NDArray[np.float64]:
    """One score for each piece, higher is better.

    `likelihood` is log P(question | piece) in nats for each piece, or None without a model; it is centred and scaled
    by the question's own spread, so that its weight means the same for long and short questions.
    """
    retrieval = np.array([piece.hit.score for piece in candidates])
    score = weights.overlap * overlaps(question, candidates) + weights.retrieval * _scaled(retrieval)
    if likelihood is not None:
        score = score + weights.likelihood * _scaled(likelihood)
    return score


def choose(
    candidates: Sequence[Piece], scores: NDArray[np.float64], *, budget: int = 220, most: int = 4, margin: float = 0.25
) -> list[Piece]:
    """The best piece and those nearly as good, within `budget` characters, in the order in which they are best read.

    Pieces of one passage are put in the order of its text; passages follow their best piece.
    """
    order = sorted(range(len(candidates)), key=lambda i: -scores[i])
    chosen: list[Piece] = []
    room = budget
    for i in order:
        piece = candidates[i]
        if chosen and (scores[order[0]] - scores[i] > margin or len(piece.text) > room or len(chosen) == most):
            continue
        chosen.append(piece)
        room -= len(piece.text)
    passages = list(dict.fromkeys(piece.hit.passage.id for piece in chosen))
    return sorted(chosen, key=lambda piece: (passages.index(piece.hit.passage.id), piece.start))


def shown(piece: Piece) -> str:
    """A piece as it reads in an answer: without list marks and emphasis, a table's row with its column names."""
    passage = piece.hit.passage
    if passage.kind == "code":
        return piece.text if piece.text.lstrip().startswith("```") else f"```\n{piece.text}\n```"
    if passage.kind in ("table", "table_row"):
        return _shown_row(piece.text, passage.header)
    text = _ITEM.sub("", piece.text, count=1)
    return re.sub(r"\s*\n\s*", " ", re.sub(r"\*\*|__", "", text)).strip()


def _shown_row(text: str, header: Sequence[str]) -> str:
    cells = [cell.strip(" *") for cell in re.split(r"(?<!\\)\|", text.strip().strip("|"))]
    if len(header) != len(cells):
        return " · ".join(cells)
    named = [f"{name}：{cell}" for name, cell in zip(header[1:], cells[1:], strict=True) if cell]
    return f"{cells[0]} — {'；'.join(named)}" if named else cells[0]


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _overlap(one: Piece, other: Piece) -> bool:
    a, b = one.hit.passage, other.hit.passage
    if a.document_id != b.document_id:
        return False
    return max(a.start + one.start, b.start + other.start) < min(a.start + one.end, b.start + other.end)
