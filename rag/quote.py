"""Which pieces of the retrieved passages answer a question, and how they read in an answer."""

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress

import numpy as np
from numpy.typing import NDArray

from kb.entries import find_entry, put_together, without_references
from kb.language import language_of
from kb.terms import content_words, terms
from kb.variants import variants_of
from rag.cells import names_of, plain_name, stands_in
from rag.pieces import ITEM, Piece, row_cells

SHORTLIST = 16
_ESCAPED = re.compile(r"\\([-\\`*_{}\[\]()#+.!|<>~])")

# What a question's term counts for that stands not in the piece but in what leads it in, its heading, its passage.
LEAD, HEADING, PASSAGE = 0.9, 0.8, 0.5
ECHO = 0.15
NAME = 1.5
_WORD = re.compile(r"[A-Za-z][\w.+-]*")
_NAME = re.compile(r".[A-Z0-9_]")

_WHY = re.compile(r"为什么|为何|为啥|原因|\b(?:why|reason)\b", re.IGNORECASE)
_BECAUSE = re.compile(r"这?是?(?:因为|由于)|原因|(?:this is |that is )?(?:because|since)\b", re.IGNORECASE)

_LEADS = re.compile(r"[：:]$")
_PROPERTY = re.compile(r"^\w{2,6}[：:]")
_NUMBERING = re.compile(r"^\W*(?:\d[\d.]*\s+)?")


@dataclass(frozen=True)
class Weights:
    """How much each score counts for a piece; chosen on development questions over the guide (docs/answers.md)."""

    overlap: float = 1.0
    likelihood: float = 0.005
    retrieval: float = 0.1
    echo: float = 0.3


def overlaps(question: str, candidates: Sequence[Piece]) -> NDArray[np.float64]:
    """For each piece how much of the question it takes up: 0 to 1.

    Every term of the question counts by its inverse document frequency among the candidates, names more than other
    terms, and by where it stands: in the piece itself, in what leads it in, in its passage or the headings above. Where
    its translation stands, it counts as much as that is sure. Rows of one table that the question names together answer
    together: each counts as if it had the names of all.
    """
    above = {(piece.hit.passage.document_id, path) for piece in candidates for path in _paths_above(piece)}
    places = [_places(piece, above) for piece in candidates]
    for together in _named_rows(question, candidates):
        compared = {term: 1.0 for place in together for term in terms(_row_name(candidates[place]))}
        for place in together:
            places[place].update(compared)
    frequency = Counter(term for placed in places for term in placed)
    ways = {term: ((term, 1.0), *variants_of(term)) for term in set(terms(question))}
    names = _names(question)
    weight = {}
    for term, said in ways.items():
        common = max(frequency[way] for way, _ in said)
        weight[term] = math.log(1 + len(places) / (0.5 + common)) * (NAME if term in names else 1)
    total = sum(weight.values()) or 1.0
    taken = [
        sum(weight[term] * max(sure * placed.get(way, 0.0) for way, sure in said) for term, said in ways.items())
        for placed in places
    ]
    return np.array(taken) / total


def _named_rows(question: str, candidates: Sequence[Piece]) -> list[list[int]]:
    """The places of rows that the question names, those of one table together, of tables with more than one of them."""
    asked = plain_name(question)
    tables: dict[tuple[object, ...], list[int]] = {}
    for place, piece in enumerate(candidates):
        if piece.kind == "table_row" and any(stands_in(name, asked) for name in names_of(_row_name(piece))):
            tables.setdefault(_table_of(piece), []).append(place)
    return [places for places in tables.values() if len(places) > 1]


def _rows_beside(question: str, candidates: Sequence[Piece]) -> set[int]:
    """The places of rows that are not asked for: where the question is all names of other rows of their table."""
    asked, words = plain_name(question), set(content_words(question.casefold()))
    tables: dict[tuple[object, ...], list[int]] = {}
    for place, piece in enumerate(candidates):
        if piece.kind == "table_row":
            tables.setdefault(_table_of(piece), []).append(place)
    beside: set[int] = set()
    for places in tables.values():
        named = {i for i in places if any(stands_in(name, asked) for name in names_of(_row_name(candidates[i])))}
        said = " ".join(chain.from_iterable((_row_name(candidates[i]), *candidates[i].header) for i in named))
        if named and words <= set(content_words(said.casefold())):
            beside |= set(places) - named
    return beside


def _table_of(row: Piece) -> tuple[object, ...]:
    passage = row.hit.passage
    return passage.document_id, passage.section, row.header


def _row_name(row: Piece) -> str:
    return row_cells(row.text)[0]


def _names(question: str) -> set[str]:
    """The terms of what reads as a name: Latin script in a Chinese question, else capitals or digits within a word."""
    chinese = language_of(question) == "zh"
    return {term for word in _WORD.findall(question) if chinese or _NAME.search(word) for term in terms(word)}


def _paths_above(piece: Piece) -> Iterator[tuple[str, ...]]:
    section = piece.hit.passage.section
    return (section[:depth] for depth in range(1, len(section)))


def _places(piece: Piece, above: Collection[tuple[str, tuple[str, ...]]]) -> dict[str, float]:
    """The terms of a piece and of what is around it, each with what it counts for there.

    A heading that is `above` others' headings, a document's title say, tells no more of what stands right below it.
    """
    passage = piece.hit.passage
    shared = not passage.section or (passage.document_id, passage.section) in above
    nearest = "" if shared else passage.section[-1]
    around = ((passage.indexed, PASSAGE), (nearest, HEADING), (piece.lead, LEAD), (shown(piece), 1.0))
    return {term: counts for text, counts in around for term in terms(text)}


def echoes(question: str, piece: Piece) -> bool:
    """Whether a piece says hardly more than the question does."""
    said = set(terms(shown(piece)))
    return len(said - set(terms(question))) < ECHO * len(said)


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
    for together in _named_rows(question, candidates):
        retrieval[together] = retrieval[together].max()
    echo = np.array([echoes(question, piece) for piece in candidates])
    score = weights.overlap * overlaps(question, candidates) + weights.retrieval * _scaled(retrieval)
    score = score - weights.echo * echo
    if likelihood is not None:
        score = score + weights.likelihood * _scaled(_of_groups(candidates, likelihood))
    return score


def _of_groups(candidates: Sequence[Piece], likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """The likelihoods, a group's being at least that of its likeliest part."""
    by_span = {piece.span: nats for piece, nats in zip(candidates, likelihood, strict=True)}
    return np.array(
        [
            max([nats, *(by_span[part.span] for part in piece.parts if part.span in by_span)])
            for piece, nats in zip(candidates, likelihood, strict=True)
        ]
    )


def shortlist(question: str, candidates: Sequence[Piece], weights: Weights, most: int = SHORTLIST) -> list[Piece]:
    """The pieces that are worth the model's time, in the order given: the best by all that costs little."""
    if len(candidates) <= most:
        return list(candidates)
    scores = rank(question, candidates, None, weights)
    kept = sorted(sorted(range(len(candidates)), key=lambda i: -scores[i])[:most])
    brought = (_brought_by(candidates[i], question, candidates) for i in kept)
    spans = {candidates[i].span for i in kept} | {piece.span for piece in brought if piece}
    return [piece for piece in candidates if piece.span in spans]


def choose(
    question: str,
    candidates: Sequence[Piece],
    scores: NDArray[np.float64],
    *,
    budget: int = 220,
    most: int = 4,
    margin: float = 0.25,
) -> list[Piece]:
    """The best piece and those nearly as good, within `budget` characters, in the order in which they are best read.

    Pieces of one passage are put in the order of its text; passages follow their best piece.
    """
    beside = _rows_beside(question, candidates)
    order = sorted((i for i in range(len(candidates)) if i not in beside), key=lambda i: -scores[i])
    chosen: list[Piece] = []
    room = budget
    for i in order:
        piece = candidates[i]
        if chosen and (scores[order[0]] - scores[i] > margin or len(piece.text) > room or len(chosen) == most):
            continue
        if any(piece.overlaps(other) for other in chosen):
            continue
        chosen.append(piece)
        room -= len(piece.text)
        brought = _brought_by(piece, question, candidates)
        if brought and not any(brought.overlaps(other) for other in chosen):
            chosen.append(brought)
            room -= len(brought.text)
    passages = list(dict.fromkeys(piece.hit.passage.id for piece in chosen))
    return sorted(chosen, key=lambda piece: (passages.index(piece.hit.passage.id), piece.start))


def _brought_by(piece: Piece, question: str, candidates: Sequence[Piece]) -> Piece | None:
    """What a piece is not quoted without: a lead what stands below it, a claim its reason if that is asked for."""
    below = (other for other in candidates if piece.leads_to(other))
    if piece.kind != "lead":
        below = (other for other in below if _WHY.search(question) and _BECAUSE.match(shown(other)))
    return next(below, None)


def shown(piece: Piece) -> str:
    """A piece as it reads in an answer: without list marks and emphasis, a table's row with its column names.

    An item that says only "advantages: …" is put under the heading that it belongs to.
    """
    if piece.kind == "code":
        return piece.text if piece.text.startswith("```") else f"```\n{piece.text}\n```"
    if piece.kind == "table_row":
        return _shown_row(row_cells(piece.text), piece.header)
    if piece.kind == "group":
        return _shown_group(piece.parts)
    entry = find_entry(piece.hit.passage.text) if piece.kind == "signature" else None
    if entry:
        return entry.signature
    text = ITEM.sub("", piece.text, count=1).replace("**", "")
    text = put_together(without_references(text)) if "\n" in text else _ESCAPED.sub(r"\1", text)
    text = text.strip("> ")
    subject = _subject(piece)
    return f"{subject} › {text}" if subject and piece.kind == "item" and _PROPERTY.match(text) else text


def answering(piece: Piece, question: str) -> str:
    """A piece as it reads in the answer to a question: of a row, only the cells whose columns are asked for, if any."""
    if piece.kind != "table_row":
        return shown(piece)
    asked = plain_name(question)
    named = [any(stands_in(name, asked) for name in names_of(column)) for column in piece.header[1:]]
    wanted = [True, *named] if any(named) else [True] * len(piece.header)
    cells = row_cells(piece.text)
    if len(cells) != len(wanted):
        return shown(piece)
    return _shown_row([*compress(cells, wanted)], [*compress(piece.header, wanted)])


def heading_of_row(piece: Piece) -> str:
    """The heading that a table's row stands below: whose it is, or of what kind, is often said nowhere else."""
    return _subject(piece) if piece.kind == "table_row" else ""


def _shown_group(parts: Sequence[Piece]) -> str:
    first, last = parts[0], parts[-1]
    if first.kind == "lead":
        head = shown(first) if _LEADS.search(shown(first)) else f"{shown(first)}："
        return head + ("\n" if last.kind == "code" else "") + _shown_group(parts[1:])
    if last.kind == "code":
        return shown(replace(first, end=last.end))
    subject = f"{_subject(first)} › "
    *said, end = [shown(first), *(shown(part).removeprefix(subject) for part in parts[1:])]
    return "；".join([*(text.rstrip("。；;") for text in said), end])


def _subject(piece: Piece) -> str:
    return _NUMBERING.sub("", piece.hit.passage.section[-1]) if piece.hit.passage.section else ""


def _shown_row(cells: Sequence[str], header: Sequence[str]) -> str:
    cells = [_ESCAPED.sub(r"\1", cell) for cell in cells]
    if len(header) != len(cells):
        return " · ".join(cells)
    named = [f"{name}：{cell}" for name, cell in zip(header[1:], cells[1:], strict=True) if cell]
    return f"{cells[0]} — {'；'.join(named)}" if named else cells[0]


def _scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
