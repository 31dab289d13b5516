"""Learns how often what answers a question does without one of its words, for `kb/unsaid.py`.

    python -m models.learn_unsaid --corpus CORPUS --reading READING --out kb/unsaid.tsv

From headings and the text below them, and from reading questions and their passages, held-out ones left out. English
words that many documents have in lower case are listed too, asked or not, so that they are not taken for names.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kb.terms import content_words, terms
from kb.unsaid import prior
from models.corpus import read_corpus, read_rows
from models.embedding_sources import READING_HELD_OUT

LEAST_MET = 3
PRIOR_COUNTS = 8  # times that the prior counts as met
QUESTION_COUNTS = 2  # a question is more like one than a heading is
PER_DOCUMENT, LONGEST_HEADING, SHORTEST_TEXT, LONGEST_TEXT = 25, 60, 80, 500
LEAST, MOST = 0.03, 0.97

WRITTEN, IN_LOWER_CASE = 5, 0.6  # documents with an English word for it to be listed, and the share without capitals

_ENGLISH = re.compile(r"(?<![\w.\-/`])[A-Za-z]{3,}(?![\w\-/`]|\.\w)")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def sections(corpus: Path) -> Iterator[tuple[str, str]]:
    """The first headings of each document, with what the text below begins with."""
    for document in read_corpus(corpus, ("zh", "zh_sharealike", "en")):
        if document.held_out or document.collection == "laws":
            continue
        parts = _HEADING.split(document.text)
        below = [(heading, text.strip()) for heading, text in zip(parts[1::2], parts[2::2], strict=True)]
        told = [
            (heading, text) for heading, text in below if len(heading) < LONGEST_HEADING and len(text) > SHORTEST_TEXT
        ]
        yield from ((heading, text[:LONGEST_TEXT]) for heading, text in told[:PER_DOCUMENT])


def readings(folder: Path) -> Iterator[tuple[str, str]]:
    """The questions of every reading set but the one held out, with their passages."""
    for file in sorted(folder.glob("*.corpus.jsonl.xz")):
        name = file.name.removesuffix(".corpus.jsonl.xz")
        if name != READING_HELD_OUT:
            passages = {row["id"]: row["text"] for row in read_rows(file)}
            for row in read_rows(folder / f"{name}.qa.jsonl.xz"):
                yield row["question"], passages[row["context_id"]]


def english_words(corpus: Path) -> set[str]:
    """What is written again and again, mostly in lower case."""
    documents, lower = Counter[str](), Counter[str]()
    for document in read_corpus(corpus, ("en",)):
        if not document.held_out:
            found = set(_ENGLISH.findall(document.text))
            documents.update({word.casefold() for word in found})
            lower.update(word for word in found if word.islower())
    return {word for word, count in lower.items() if count >= max(WRITTEN, IN_LOWER_CASE * documents[word])}


def learn(corpus: Path, reading: Path) -> dict[str, float]:
    """For each word that was met often enough, the share of texts without it; the prior for other English words."""
    met, missed = Counter[str](), Counter[str]()
    for asked, text, counts in (
        *((*pair, 1) for pair in sections(corpus)),
        *((*pair, QUESTION_COUNTS) for pair in readings(reading)),
    ):
        held, lower = set(terms(text)), text.casefold()
        for word in {word.casefold() for word in content_words(asked)}:
            met[word] += counts
            missed[word] += counts * (not _said(word, held, lower))
    asked_about = {
        word: min(MOST, max(LEAST, (missed[word] + PRIOR_COUNTS * prior(word)) / (count + PRIOR_COUNTS)))
        for word, count in met.items()
        if count >= LEAST_MET
    }
    return {word: prior(word) for word in english_words(corpus)} | asked_about


def _said(word: str, held: set[str], text: str) -> bool:
    """Whether a text says a word, by a plainer rule than that by which `rag/answerable.py` looks for it (`_known`).

    One of its parts is enough, and variants don't count: the shares are to be those of the words as they stand,
    whatever the tables of variants hold when they are learnt.
    """
    found = terms(word)
    longer = [term for term in found if len(term) > 1] or found
    return word in text if len(word) == 1 else not held.isdisjoint(longer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    learnt = sorted(learn(given.corpus, given.reading).items())
    given.out.write_text("".join(f"{word}\t{share:.2f}\n" for word, share in learnt), encoding="utf-8")


if __name__ == "__main__":
    main()
