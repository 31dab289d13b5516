"""Texts in English and Chinese that say the same: sentences, outlines that agree, and lines found to fit each other."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from kb.terms import ENGLISH_STOP_WORDS, HAN_START, terms
from models.corpus import CorpusDocument, is_held_out, read_rows

Pair = tuple[str, str]  # English, Chinese
Translate = Callable[[str], Iterable[tuple[str, float]]]

_HEADING = re.compile(r"^#{1,6}\s+(.+?)(?:\s*\[\[.*\]\]|\s*\{#.*\})?\s*$")
_GLOSS = re.compile(r"([\u4e00-\u9fff]{2,12}) ?[（(] ?([A-Za-z][A-Za-z0-9 \-]{1,40}?) ?[)）]")
_MOST_GLOSSED = 40  # what stands in brackets after so many terms is no gloss
_GLOSS_COUNTS = 3  # times at most

MOST_LINES = 600
SHORTEST_LINE = 4
ALIKE = 0.35  # cosine of two lines that fit
APART = 0.25  # how far apart they may stand, as a share of their documents


def sentence_pairs(corpus: Path) -> Iterator[Pair]:
    """The sentences of the Python documentation that are not held out."""
    for row in read_rows(corpus / "parallel" / "python_docs_en_zh.jsonl.xz"):
        if not is_held_out(row["path"]):
            yield row["en"], row["zh"]


def translated_documents(corpus: Path, documents: Iterable[CorpusDocument]) -> Iterator[Pair]:
    """The texts of documents that are translations of each other."""
    texts = {document.name.rsplit("#", 1)[0]: document.text for document in documents}
    for row in read_rows(corpus / "parallel" / "doc_index_zh_en.jsonl.xz"):
        if row["en_path"] in texts and row["zh_path"] in texts:
            yield texts[row["en_path"]], texts[row["zh_path"]]


def outline_pairs(english: str, chinese: str) -> list[Pair]:
    """The headings of two documents, and their lines where as many stand below; nothing where the outlines differ."""
    ours, theirs = _sections(english), _sections(chinese)
    if len(ours) != len(theirs):
        return []
    pairs: list[Pair] = []
    for (heading, lines), (other_heading, other_lines) in zip(ours, theirs, strict=True):
        pairs.append((heading, other_heading))
        if len(lines) == len(other_lines):
            pairs += zip(lines, other_lines, strict=True)
    return [pair for pair in pairs if all(pair)]


def nearest_lines(english: str, chinese: str, translate: Translate) -> list[Pair]:
    """Lines of two documents that are each other's nearest by their terms, Chinese ones translated, and stand alike.

    `translate` gives English terms for a Chinese one, with weights. Terms weigh by their rarity in the document.
    """
    ours, theirs = _lines(english), _lines(chinese)
    vocabulary: dict[str, int] = {}
    bags = [
        [{term: 1.0 for term in terms(line) if term not in ENGLISH_STOP_WORDS} for line in ours],
        [_translated(line, translate) for line in theirs],
    ]
    first, second = (_matrix(some, vocabulary) for some in bags)
    if not vocabulary:
        return []
    for matrix in (first, second):
        matrix.resize(matrix.shape[0], len(vocabulary))
    rarity = np.log(1 + len(ours) / (1 + np.asarray((first > 0).sum(axis=0)).ravel()))
    alike = (_unit(first.multiply(rarity)) @ _unit(second.multiply(rarity)).T).toarray()  # [English, Chinese]
    best, back = alike.argmax(axis=1), alike.argmax(axis=0)
    return [
        (ours[place], theirs[other])
        for place, other in enumerate(best)
        if back[other] == place and alike[place, other] > ALIKE and abs(place / len(ours) - other / len(theirs)) < APART
    ]


def glosses(documents: Iterable[CorpusDocument]) -> Iterator[Pair]:
    """English in brackets after Chinese, as in 适配器（adapter）: as often as documents have it, up to a few times."""
    met = met_glosses(documents)
    spread = Counter(english.casefold() for _, english in met)
    for (chinese, english), count in met.items():
        if spread[english.casefold()] <= _MOST_GLOSSED:
            yield from [(english, chinese)] * min(count, _GLOSS_COUNTS)


def met_glosses(documents: Iterable[CorpusDocument]) -> Counter[tuple[str, str]]:
    """In how many documents each (Chinese, English in brackets after it) stands."""
    return Counter(match for document in documents for match in set(_GLOSS.findall(document.text)))


def _sections(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = [("", [])]
    for line in filter(str.strip, text.splitlines()):
        heading = _HEADING.match(line)
        if heading:
            found.append((heading[1], []))
        else:
            found[-1][1].append(line.strip())
    return found


def _lines(text: str) -> list[str]:
    return [line.strip("# ") for line in text.splitlines() if len(line.strip()) >= SHORTEST_LINE][:MOST_LINES]


def _translated(line: str, translate: Translate) -> dict[str, float]:
    bag: dict[str, float] = {}
    for term in terms(line):
        for other, weight in translate(term) if HAN_START.match(term) else ((term, 1.0),):
            bag[other] = max(bag.get(other, 0.0), weight)
    return bag


def _matrix(bags: Sequence[dict[str, float]], vocabulary: dict[str, int]) -> sparse.csr_matrix:
    """Weights [bags, terms so far]; terms that `vocabulary` does not number yet get the next numbers there."""
    rows = np.repeat(np.arange(len(bags)), [len(bag) for bag in bags])
    columns = [vocabulary.setdefault(term, len(vocabulary)) for bag in bags for term in bag]
    weights = [weight for bag in bags for weight in bag.values()]
    return sparse.csr_matrix((weights, (rows, columns)), shape=(len(bags), len(vocabulary)))


def _unit(rows: sparse.spmatrix) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return sparse.diags(1 / np.maximum(lengths, 1e-9)) @ rows
