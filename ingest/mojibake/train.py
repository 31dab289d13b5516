"""Trains the language model that restoring uses: `python -m ingest.mojibake.train --corpus FOLDER --reading FOLDER`."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.mojibake.kneser_ney import estimate
from ingest.mojibake.language import DATA
from ingest.mojibake.lexicon import Counts, dictionary_symbols, mixed, trie_levels, word_counts
from ingest.mojibake.symbols import NEWLINE, symbols
from ingest.mojibake.trie import pack
from models.corpus import is_held_out, read_corpus, read_rows

KEEP = (10**6, 400_000, 900_000, 700_000, 400_000)  # n-grams of each length
SMALLEST_WORD = 1e-8


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with zh/*.jsonl.xz and zh_sharealike/")
    parser.add_argument("--reading", type=Path, required=True, help="folder with NAME.corpus.jsonl.xz, encyclopaedic")
    parser.add_argument("--out", type=Path, default=DATA, help="the packed model")
    options = parser.parse_args(arguments)
    texts = [*corpus_texts(options.corpus), *reading_texts(options.reading)]
    text = "".join(symbols(text) + NEWLINE for text in texts)
    train(text, word_counts(text, options.corpus / "words"), options.out)


def corpus_texts(folder: Path) -> Iterator[str]:
    """Every Chinese document that is not held out."""
    for document in read_corpus(folder, ("zh", "zh_sharealike")):
        if not document.held_out:
            yield document.text


def reading_texts(folder: Path) -> Iterator[str]:
    """Every passage of an article that is not held out; an article's passages share its title."""
    for file in sorted(folder.glob("*.corpus.jsonl.xz")):
        for row in read_rows(file):
            if not is_held_out(row["title"]):
                yield row["text"]


def train(text: str, lists: Mapping[str, Counts], out: Path) -> None:
    """Estimates n-grams from a text of symbols, mixes the lists of words, and packs both into one file."""
    often = {symbol for symbol, count in Counter(text).items() if count > 1}
    vocabulary = "".join(sorted(often | dictionary_symbols(lists)))
    numbers = {symbol: number for number, symbol in enumerate(vocabulary, 1)}
    ngrams = estimate(_numbered(text, numbers), len(vocabulary) + 1, KEEP)
    words = trie_levels(mixed(lists, SMALLEST_WORD), numbers)
    arrays = {
        "vocabulary": np.frombuffer(vocabulary.encode("utf-8"), np.uint8),
        **pack(ngrams, "ngrams"),
        **pack(words, "words"),
    }
    np.savez_compressed(out, allow_pickle=False, **arrays)


def _numbered(text: str, numbers: dict[str, int]) -> NDArray[np.uint16]:
    table = np.zeros(0x110000, np.uint16)
    for symbol, number in numbers.items():
        table[ord(symbol)] = number
    return table[np.frombuffer(text.encode("utf-32-le"), np.uint32)]


if __name__ == "__main__":
    main()
