"""The words of the language model: how often each is used, mixed from dictionaries and from the training text."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ingest.mojibake.symbols import WORD, symbols
from ingest.mojibake.trie import Level

__all__ = ["Counts", "dictionary_symbols", "mixed", "trie_levels", "word_counts"]

LONGEST = 8
SHARES = {"jieba": 0.25, "wordfreq": 0.3, "fields": 0.05, "corpus": 0.4}

Counts = Mapping[str, float]


def word_counts(text: str, fields: Path) -> dict[str, Counts]:
    """How often words are used, by four sources.

    They are jieba's dictionary, wordfreq's large list, the lists by field (`fields/*.txt`: word, tab, count) and `text`
    itself as jieba cuts it.
    """
    import jieba
    import wordfreq

    dictionary: dict[str, float] = {}
    for line in Path(jieba.__file__).with_name("dict.txt").read_text(encoding="utf-8").splitlines():
        word, count, _ = line.split(" ")
        dictionary[word] = float(count)
    jieba.setLogLevel(60)
    corpus: Counter[str] = Counter()
    for line in text.splitlines(keepends=True):
        corpus.update(jieba.cut(line, HMM=False))
    return {
        "jieba": dictionary,
        "wordfreq": wordfreq.get_frequency_dict("zh", "large"),
        "fields": _field_lists(fields),
        "corpus": corpus,
    }


def _field_lists(folder: Path) -> Counts:
    """The sum of the lists, each with the same weight whatever its size."""
    words: defaultdict[str, float] = defaultdict(float)
    for file in sorted(folder.glob("*.txt")):
        rows = [line.split() for line in file.read_text(encoding="utf-8-sig").splitlines()]
        counts = {row[0]: float(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
        total = sum(counts.values())
        for word, count in counts.items():
            words[word] += count / total
    return words


def mixed(lists: Mapping[str, Counts], smallest: float) -> dict[str, float]:
    """Log-probabilities of words under the weighted mean of the lists; rarer ones than `smallest` are left out."""
    mixture: defaultdict[str, float] = defaultdict(float)
    for name, counts in lists.items():
        usable = {word: count for word, count in counts.items() if _usable(word)}
        total = sum(usable.values())
        for word, count in usable.items():
            mixture[word] += SHARES[name] * count / total
    return {word: math.log(p) for word, p in mixture.items() if p >= smallest or len(word) == 1}


def _usable(word: str) -> bool:
    return len(word) <= LONGEST and symbols(word) == word and (len(word) == 1 or WORD not in word)


def trie_levels(words: Mapping[str, float], numbers: Mapping[str, int]) -> list[Level]:
    """The levels of a trie of words; those with a symbol that has no number are left out."""
    known = {tuple(numbers[c] for c in word): p for word, p in words.items() if all(c in numbers for c in word)}
    prefixes = {word[:n] for word in known for n in range(1, len(word) + 1)}
    levels: list[Level] = []
    above: dict[tuple[int, ...], int] = {(): 0}
    for n in range(1, max(map(len, prefixes)) + 1):
        nodes = sorted(prefix for prefix in prefixes if len(prefix) == n)
        children = np.bincount([above[node[:-1]] for node in nodes], minlength=len(above))
        values = np.array([known.get(node, math.nan) for node in nodes])
        last = np.array([node[-1] for node in nodes], np.uint16)
        levels.append(Level(children.astype(np.uint16), last, values, np.zeros(len(nodes))))
        above = {node: number for number, node in enumerate(nodes)}
    return levels


def dictionary_symbols(lists: Mapping[str, Iterable[str]]) -> set[str]:
    """The symbols that the lists' words are written with."""
    return {symbol for words in lists.values() for word in words for symbol in word if _usable(word)}
