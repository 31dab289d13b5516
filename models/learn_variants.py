"""Learns what terms are called in the other language, for `kb/variants.py`.

    python -m models.learn_variants --corpus CORPUS --out kb/variants.tsv

From the sentences of the Python documentation, documents with their translations, and glosses in brackets. Documents
whose outlines differ are aligned line by line with what the others have taught. Needs the extra `train`.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from kb.segment import is_word
from kb.terms import ENGLISH_STOP_WORDS, terms
from models.corpus import read_corpus
from models.parallel_texts import Pair, glosses, nearest_lines, outline_pairs, sentence_pairs, translated_documents
from models.word_alignment import Translation, translations

LEAST_SURE = 0.05  # geometric mean of the probabilities of both directions
LEAST_MET = 1.5
LONGEST = 60, 90  # English and Chinese terms of a sentence
ALIGNED_COUNTS = 2  # lines found to fit are on the subject, the Python documentation is not

_HAN_WORD = re.compile(r"[\u4e00-\u9fff]{2,}")
_ENGLISH_WORD = re.compile(r"[a-z][a-z-]+[a-z]")


def bag(pair: Pair) -> tuple[set[str], set[str]]:
    """The English words and the Chinese ones of a pair; what stands on both sides needs no translation."""
    english, chinese = map(set, map(terms, pair))
    return (
        {term for term in english - chinese - ENGLISH_STOP_WORDS if _ENGLISH_WORD.fullmatch(term)},
        {term for term in chinese if _HAN_WORD.fullmatch(term) and is_word(term)},
    )


def learnt(pairs: Iterable[Pair]) -> list[Translation]:
    """The translations that the pairs teach and that are sure in both directions."""
    bags = [bag(pair) for pair in pairs]
    kept = [(one, other) for one, other in bags if 0 < len(one) <= LONGEST[0] and 0 < len(other) <= LONGEST[1]]
    return [each for each in translations(kept) if each.there * each.back >= LEAST_SURE**2 and each.met >= LEAST_MET]


def learn(corpus: Path) -> list[Translation]:
    """What the whole corpus teaches, held-out documents left out."""
    documents = [document for document in read_corpus(corpus) if not document.held_out]
    translated = list(translated_documents(corpus, documents))
    outlines = [outline_pairs(*texts) for texts in translated]
    sure = [*sentence_pairs(corpus), *(pair for pairs in outlines for pair in pairs), *glosses(documents)]
    english_for = _by_chinese(learnt(sure))
    aligned = [
        pair
        for texts, pairs in zip(translated, outlines, strict=True)
        if not pairs
        for pair in nearest_lines(*texts, lambda term: english_for.get(term, ()))
    ]
    return learnt(sure + aligned * ALIGNED_COUNTS)


def _by_chinese(found: Sequence[Translation]) -> dict[str, list[tuple[str, float]]]:
    english: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for each in found:
        english[each.second].append((each.first, max(each.there, each.back) ** 0.5))
    return english


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    lines = (f"{each.first}\t{each.second}\t{each.there:.3g}\t{each.back:.3g}\n" for each in learn(given.corpus))
    given.out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
