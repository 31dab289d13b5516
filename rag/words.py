"""The words of a question: how much each says, and how surely a passage says it.

A word is said if it stands there itself or, by its weight, a translation, another name or a synonym of it.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from kb.language import is_greeting
from kb.segment import information
from kb.terms import ENGLISH_STOP_WORDS, HAN_START, content_words, terms
from kb.unsaid import is_listed
from kb.variants import opposites_of, variants_of

__all__ = ["Asked", "Held", "asked", "asks_whether", "known"]

# How much words say, in nats: so little that a word may be missing anywhere; what an English word or a number of
# one or two digits says, a name, and a Chinese word that no dictionary has.
COMMON, ENGLISH, NAME, UNLISTED = 7.0, 8.5, 12.0, 12.0
LEAST = 0.3  # beyond common words, for a word to be looked for
PARTS = 0.6  # what an identifier's parts are worth without the whole: TensorRT is not a tensor
NAMES_COUNT = 2.0  # times what they say, in the order of passages: what is said of another thing is no answer

_WHETHER = re.compile(
    r"(?:吗|(?<![什怎这那多])么)[？?]?\s*$|是否|是不是|能不能|可不可以|会不会|算不算"
    r"|^\s*(?:is|are|was|were|do|does|did|can|could|will|has|have)\b",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[A-Z]?[a-z]+")
_SHORT = re.compile(r"[A-Za-z]{1,2}")  # of which no terms are made within identifiers
_SHORT_NUMBER = re.compile(r"\d{1,2}")
_HOW_MANY = re.compile(r"几([^乎何]{1,2})")  # of what
_COUNTED = r"[\d一二两三四五六七八九十百千万亿]\s*[个多余]?(?:{})"
_WRITTEN = {"点": "[点时:：]", "号": "[号日]", "块": "[块元]"}  # how what is spoken so is written too


class Held(NamedTuple):
    """A passage as it is looked into: what it says, and its terms."""

    text: str
    terms: Container[str]


@dataclass(frozen=True)
class Asked:
    """A question's words, those of them that name something, and what is looked for.

    `telling` has the words that say most and how much that is, in nats beyond common words; `opposites` has other words
    by which one may be answered.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]
    telling: Mapping[str, float]
    opposites: Mapping[str, frozenset[str]]

    def said(self, word: str, passage: Held) -> float:
        """From 0 to 1, how surely a passage says a word or its opposite."""
        return max(_said(each, passage) for each in (word, *self.opposites.get(word, ())))

    def share_said(self, passage: Held) -> float:
        """How much of what the telling words say a passage says, from 0 to 1; names count twice."""
        weights = {word: nats * (NAMES_COUNT if word in self.names else 1) for word, nats in self.telling.items()}
        said = sum(weight * self.said(word, passage) for word, weight in weights.items())
        return said / sum(weights.values()) if weights else 0.0


@lru_cache(maxsize=64)
def asked(question: str) -> Asked:
    """What a question asks for. A greeting has no words; whether something is so, its opposite may answer too."""
    words = () if is_greeting(question) else tuple(dict.fromkeys(content_words(question)))
    names = _names(question, words)
    says = {word: NAME - COMMON if word in names else _says(word) for word in words}
    opposites = {word: opposites_of(word.casefold()) for word in words} if asks_whether(question) else {}
    return Asked(words, names, {word: nats for word, nats in says.items() if nats > LEAST}, opposites)


def asks_whether(question: str) -> bool:
    return bool(_WHETHER.search(question))


def _names(question: str, words: Sequence[str]) -> tuple[str, ...]:
    """The words that name something: of another script than the question, or not in lower case throughout."""
    latin = tuple(word for word in words if not HAN_START.match(word) and not _SHORT_NUMBER.fullmatch(word))
    if any(HAN_START.match(word) for word in words):
        return latin
    first = question.split(maxsplit=1)[0] if latin else ""
    return tuple(word for word in latin if not word.islower() and word != first)


def _says(word: str) -> float:
    """How much a word says beyond common ones, in nats."""
    if HAN_START.match(word):
        return max(0.0, (information(word) or UNLISTED) - COMMON)
    common = _SHORT_NUMBER.fullmatch(word) or (_PLAIN.fullmatch(word) and is_listed(word))
    return (ENGLISH if common else NAME) - COMMON


def _said(word: str, passage: Held) -> float:
    """How surely a passage says a word; "how many days" (几天) by any number of days."""
    if asks := _HOW_MANY.fullmatch(word):
        return float(bool(re.search(_COUNTED.format(_WRITTEN.get(asks[1], asks[1])), passage.text)))
    if len(word) == 1 and HAN_START.match(word):
        return float(word in passage.text)
    if _SHORT.fullmatch(word):
        return float(bool(re.search(rf"(?<![a-z]){word}(?![a-z])", passage.text, re.IGNORECASE)))
    sure = known(word, passage.terms)
    return 1.0 if sure < 1 and (translated := _translated(word)) and translated.search(passage.text) else sure


@lru_cache(maxsize=1 << 12)
def _translated(word: str) -> re.Pattern[str] | None:
    """Finds an identifier whose words were translated (设置_适配器), in Markdown or not; None if it has but one."""
    parts = [part for part in re.split("_+", word.casefold()) if part]
    if len(parts) < 2:
        return None
    spelt = (r"[^\W_]+" if part in ENGLISH_STOP_WORDS else "|".join(map(re.escape, _spellings(part))) for part in parts)
    return re.compile(r"(?:\\?_)+".join(f"(?:{some})" for some in spelt), re.IGNORECASE)


def _spellings(part: str) -> Iterator[str]:
    yield part
    yield from (variant for term in terms(part) for variant, _ in variants_of(term))


def known(word: str, held: Container[str]) -> float:
    """From 0 to 1, how surely these terms say a word: by itself, by a variant of it, or by its parts."""
    forms, parts, worth = _forms(word)
    whole = max(_term(form, held) for form in forms)
    return max(whole, worth * sum(_term(part, held) for part in parts) / len(parts)) if parts and whole < 1 else whole


@lru_cache(maxsize=1 << 12)
def _forms(word: str) -> tuple[frozenset[str], tuple[str, ...], float]:
    """The terms that are the whole word, those that are parts of it, and what all the parts are worth."""
    if HAN_START.match(word):
        return frozenset((word,)), tuple(term for term in terms(word) if len(term) > 1), 1.0
    whole = word.casefold().strip("-._")
    forms = frozenset((whole, re.sub(r"[-._]", "", whole), *terms(whole)[:1]))
    return forms, tuple(set(terms(word)) - forms), PARTS


def _term(term: str, held: Container[str]) -> float:
    """Variants come the surest first."""
    return 1.0 if term in held else next((sure for other, sure in variants_of(term) if other in held), 0.0)
