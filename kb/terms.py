"""What a text is found by: the terms of Chinese, English and code that lexical search counts.

Chinese is split into dictionary words and character bigrams, so that both known and unknown words are found;
identifiers stay whole beside their parts, so that `merge_and_unload`, `P-Tuning v2`, `AutoModelForCausalLM` and
`peft>=0.8.0` are found as they are written and by what they are made of.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path

from kb.segment import is_word, words

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
LETTER = rf"(?:(?![{HAN}])\w)"
RUN = re.compile(rf"[{HAN}]+|{LETTER}+(?:[-.+/:=<>~@#]+{LETTER}+)*")
HAN_START = re.compile(rf"[{HAN}]")
ESCAPE = re.compile(r"\\(?=[-\\`*_{}\[\]()#+.!|<>~])")
TARGET = re.compile(r"\]\([^()\s]*\)")  # of a Markdown link: no part of what is read
PIECE = re.compile(r"[^/:=<>~@#+]+")
VERSION = re.compile(r"v?\d+(?:\.\d+)+")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")

REMEMBERED = 64  # characters; the terms of longer runs are not kept in memory

# Words that questions are made of and that say nothing about their matter. Closed classes only.
HAN_STOP_WORDS = frozenset((Path(__file__).parent / "stop_words_zh.txt").read_text(encoding="utf-8").split())
ENGLISH_STOP_WORDS = frozenset((Path(__file__).parent / "stop_words_en.txt").read_text(encoding="utf-8").split())


def terms(text: str) -> list[str]:
    """The terms of a text, in order and with repetitions; a question and a passage are analysed alike."""
    found: list[str] = []
    for run in _runs(text):
        found.extend(_run_terms(run) if len(run) <= REMEMBERED else _run_terms.__wrapped__(run))
    return found


def content_words(text: str) -> list[str]:
    """The dictionary's words and whole identifiers of a text, without those that questions are made of."""
    found: list[str] = []
    for run in _runs(text):
        if HAN_START.match(run):
            found += [word for word in words(run) if word not in HAN_STOP_WORDS]
        elif run.casefold() not in ENGLISH_STOP_WORDS:
            found.append(run)
    return found


def incidental(text: str) -> set[str]:
    """The terms that say nothing of their own: pairs across two words, and identifiers without their marks."""
    found: set[str] = set()
    for run in _runs(text):
        found.update(_across_words(run) if HAN_START.match(run) else _joined(run))
    return found


def _runs(text: str) -> list[str]:
    read = TARGET.sub("]", ESCAPE.sub("", text))
    return RUN.findall(unicodedata.normalize("NFKC", read))


def _across_words(run: str) -> Iterator[str]:
    for one, other in pairwise(words(run)):
        if (len(one) > 1 or len(other) > 1) and HAN_STOP_WORDS.isdisjoint((one, other)):
            yield one[-1] + other[0]


def _joined(run: str) -> Iterator[str]:
    for piece in PIECE.findall(run):
        whole = piece.strip("-._").casefold()
        joined = re.sub(r"[-._]", "", whole)
        if joined != whole:
            yield joined


@lru_cache(maxsize=1 << 14)
def _run_terms(run: str) -> tuple[str, ...]:
    """The terms of a run; many runs of a document stood in it or in others before."""
    return tuple(_han_terms(run) if HAN_START.match(run) else _identifier_terms(run))


def _han_terms(run: str) -> Iterator[str]:
    """Bigrams of what stands between stop words, and the dictionary's words of more than two characters."""
    found = words(run)
    for stop, group in groupby(found, HAN_STOP_WORDS.__contains__):
        stretch = "".join(group)
        if stop:
            continue
        if len(stretch) == 1:
            yield stretch
        yield from map("".join, pairwise(stretch))
    for word in found:
        if word in HAN_STOP_WORDS:
            continue
        if len(word) > 3:
            threes = (word[start : start + 3] for start in range(len(word) - 2))
            yield from filter(is_word, threes)
        if len(word) > 2:
            yield word


def _identifier_terms(run: str) -> Iterator[str]:
    """A run of Latin letters, digits and the marks that hold identifiers together, whole and in parts."""
    pieces = PIECE.findall(run)
    if len(pieces) > 1:
        yield run.casefold()
    for piece in pieces:
        whole = piece.strip("-._")
        if not whole or whole.casefold() in ENGLISH_STOP_WORDS:
            continue
        parts = [part for part in PART.findall(whole) if VERSION.fullmatch(whole) is None]
        yield _singular(whole.casefold())
        if len(parts) > 1:
            joined = re.sub(r"[-._]", "", whole).casefold()
            if joined != whole.casefold():
                yield joined
            yield from (_singular(part.casefold()) for part in parts if _says_something(part))


def _says_something(part: str) -> bool:
    return part.isdecimal() or (len(part) > 2 and part.casefold() not in ENGLISH_STOP_WORDS)


def _singular(word: str) -> str:
    """An English plural's singular, by the S-stemmer (Harman 1991, How effective is suffixing?)."""
    if len(word) < 4 or not word.isalpha() or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return f"{word[:-3]}y"
    return word.removesuffix("s")
