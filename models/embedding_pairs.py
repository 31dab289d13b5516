"""Pairs of texts that mean the same or answer each other, drawn from documents for contrastive training.

Documents are read once into piece ids; every pair is then cut afresh at random, so that no two passes see the same
pairs. Several pairs of a batch come from one document: its other passages are the hard negatives.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Ids = NDArray[np.int32]
Pair = tuple[Ids, Ids]

_HEADING = re.compile(r"^(#{1,6})\s+(.+?)(?:\s*\[\[.*\]\]|\s*\{#.*\})?\s*$")
_TERM = re.compile(r"^[\s>*+\-\d.]*(.{2,40}?)\**\s*(?:[:：]|——| - )\**\s*(?=\S)")
_QUESTIONS = (
    ("什么是", ""), ("", "是什么"), ("", "是什么意思"), ("如何", ""), ("怎么", ""), ("怎样", "呢"), ("", "有哪些"),
    ("", "怎么用"), ("", "有什么用"), ("请问", "的作用是什么"), ("介绍一下", ""), ("为什么", ""), ("", "吗"),
    ("What is ", "?"), ("How do I use ", "?"), ("How does ", " work?"), ("Which ", " should I use?"), ("", " 的区别"),
)  # fmt: skip


@dataclass
class Section:
    """One heading's own text as piece ids; `terms[i]` is how many pieces of `lines[i]` name what the rest explains."""

    trail: Ids
    heading: Ids
    lines: list[Ids] = field(default_factory=list)
    terms: list[int] = field(default_factory=list)
    rows: list[tuple[list[Ids], list[Ids]]] = field(default_factory=list)


def encode(tokenizer: Tokenizer, text: str) -> Ids:
    return np.array(tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int32)


def read_sections(text: str, tokenizer: Tokenizer) -> list[Section]:
    """A text's sections, empty ones left out, and lines of fewer than three pieces."""
    lines = [line for line in text.splitlines() if line.strip()]
    plain = [line.lstrip("# ") for line in lines]
    encoded = [np.array(e.ids, dtype=np.int32) for e in tokenizer.encode_batch_fast(plain, add_special_tokens=False)]
    none = np.zeros(0, dtype=np.int32)
    sections, trail, header = [Section(none, none)], list[Ids](), list[Ids]()
    for line, ids in zip(lines, encoded, strict=True):
        if match := _HEADING.match(line):
            trail = trail[: len(match[1]) - 1]
            sections.append(Section(np.concatenate([none, *trail]), ids))
            trail.append(ids)
        elif line.lstrip().startswith("|"):
            header = _add_row(sections[-1], line, header, tokenizer)
        elif len(ids) >= 3:
            term = _TERM.match(line)
            sections[-1].lines.append(ids)
            sections[-1].terms.append(len(encode(tokenizer, term[1])) if term else 0)
            header = []
    return [section for section in sections if section.lines or section.rows]


def _add_row(section: Section, line: str, header: list[Ids], tokenizer: Tokenizer) -> list[Ids]:
    """Adds a table's row to its section; returns the header that holds for the next row."""
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if all(set(cell) <= set("-: ") for cell in cells):
        return header
    ids = [encode(tokenizer, cell) for cell in cells]
    if len(header) != len(ids):
        return ids
    if len(ids) > 1 and len(ids[0]) and sum(map(len, ids)) < 200:
        section.rows.append((header, ids))
    return header


class PairCutter:
    """Cuts pairs out of sections; `weights[i]` is how telling piece i is, for made-up keyword queries."""

    def __init__(self, tokenizer: Tokenizer, weights: NDArray[np.float32], rng: np.random.Generator) -> None:
        self.rng, self.weights = rng, weights
        self._questions = [(encode(tokenizer, before), encode(tokenizer, after)) for before, after in _QUESTIONS]
        self._ways: Sequence[tuple[float, Callable[[Section], Pair | None]]] = (
            (0.30, self.heading),
            (0.20, self.sentence),
            (0.15, self.neighbours),
            (0.20, self.keywords),
            (0.15, self.entry),
        )

    def pairs(self, document: Sequence[Section], count: int) -> list[Pair]:
        """Up to `count` pairs, each from another place of the document."""
        found = []
        for place in self.rng.permutation(len(document))[:count]:
            pair = self._cut(document[place])
            if pair is not None and len(pair[0]) and len(pair[1]):
                found.append(pair)
        return found

    def _cut(self, section: Section) -> Pair | None:
        if section.rows and (not section.lines or self.rng.random() < 0.4):
            return self.row(section)
        way = self.rng.choice(len(self._ways), p=[share for share, _ in self._ways])
        return self._ways[way][1](section) or self.keywords(section)

    def chunk(self, section: Section, without: int | None = None) -> Ids:
        """Consecutive lines of 24 to 160 pieces around a random one, perhaps led by the section's headings."""
        budget = int(self.rng.integers(24, 160))
        start = int(self.rng.integers(len(section.lines)))
        parts: list[Ids] = []
        if self.rng.random() < 0.5:
            parts += [section.trail, section.heading] if self.rng.random() < 0.5 else [section.heading]
        room = budget
        for number in range(start, len(section.lines)):
            if number != without:
                parts.append(section.lines[number][:room])
                room -= len(parts[-1])
            if room <= 0:
                break
        return np.concatenate(parts) if parts else section.lines[start][:budget]

    def heading(self, section: Section) -> Pair | None:
        """A heading, often as a question, and the beginning of its text."""
        if not len(section.heading) or not section.lines:
            return None
        query = section.heading
        if len(section.trail) and self.rng.random() < 0.3:
            query = np.concatenate([section.trail[-12:], query])
        budget, body = int(self.rng.integers(16, 160)), list[Ids]()
        for line in section.lines:
            body.append(line[: budget - sum(map(len, body))])
            if sum(map(len, body)) >= budget:
                break
        if self.rng.random() < 0.15:
            body.insert(0, section.heading)
        return self.question(query), np.concatenate(body)

    def sentence(self, section: Section) -> Pair | None:
        """A line, or a stretch of one, and the text around it without it (inverse cloze: Lee et al. 2019)."""
        if len(section.lines) < 2:
            return None
        number = int(self.rng.integers(len(section.lines)))
        return self.stretch(section.lines[number], 40), self.chunk(section, without=number)

    def neighbours(self, section: Section) -> Pair | None:
        if len(section.lines) < 2:
            return None
        number = int(self.rng.integers(len(section.lines) - 1))
        return section.lines[number][:120], section.lines[number + 1][:120]

    def keywords(self, section: Section) -> Pair | None:
        """A few telling stretches of a passage, as a hurried user types them, and the passage."""
        if not section.lines:
            return None
        passage = self.chunk(section)
        telling = self.weights[passage]
        starts = self.rng.choice(len(passage), size=int(self.rng.integers(1, 4)), p=telling / telling.sum())
        query = np.concatenate([passage[s : s + int(self.rng.integers(1, 4))] for s in starts])
        if self.rng.random() < 0.4:
            passage = np.delete(passage, starts[:1])
        return self.question(query), passage if len(passage) else query

    def entry(self, section: Section) -> Pair | None:
        """What a list item or definition names, and what it says about it."""
        named = [i for i, term in enumerate(section.terms) if 0 < term < len(section.lines[i])]
        if not named:
            return None
        number = int(self.rng.choice(named))
        line, term = section.lines[number], section.terms[number]
        query = line[:term]
        if self.rng.random() < 0.4:
            query = np.concatenate([section.heading, query])
        return self.question(query), line[term:] if self.rng.random() < 0.5 else line

    def row(self, section: Section) -> Pair | None:
        """A row's first cell with a column's name, and the row: bare, or as an index sees it, columns named."""
        header, cells = section.rows[int(self.rng.integers(len(section.rows)))]
        column = int(self.rng.integers(1, len(cells)))
        query = np.concatenate([cells[0], header[column]] if self.rng.random() < 0.7 else [cells[0]])
        row = np.concatenate(cells if self.rng.random() < 0.6 else cells[1:])
        if self.rng.random() < 0.5:
            named = [part for pair in zip(header, cells, strict=True) for part in pair]
            row = np.concatenate([section.trail, section.heading, *named, *cells])
        return self.question(query), row

    def stretch(self, ids: Ids, longest: int) -> Ids:
        """A random stretch of 4 to `longest` pieces."""
        size = int(self.rng.integers(4, longest))
        start = int(self.rng.integers(max(1, len(ids) - size + 1)))
        return ids[start : start + size]

    def question(self, ids: Ids) -> Ids:
        """The words as they are, or made a question in half of all cases."""
        if self.rng.random() < 0.5:
            return ids
        before, after = self._questions[int(self.rng.integers(len(self._questions)))]
        return np.concatenate([before, ids, after])
