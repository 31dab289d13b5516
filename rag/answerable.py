"""Whether the knowledge base answers a question at all: a calibrated probability from plain measures of its words."""

import math
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from kb.language import is_greeting
from kb.segment import information
from kb.terms import ENGLISH_STOP_WORDS, HAN_START, content_words, terms
from kb.unsaid import is_listed, unsaid_share
from kb.variants import opposites_of, variants_of
from rag.kinds import lacks_kind, names_maker

__all__ = [
    "LOOKED_INTO",
    "Held",
    "Measures",
    "answerable",
    "asks_for_one",
    "lacks_number",
    "measured",
    "probability",
]

# Fitted by tests/benchmarks/tune_abstention.py; docs/retrieval.md says on what. One weight for each of the measures.
INTERCEPT, WEIGHTS = 0.2, (0.52, -1.54, 0.84, -1.29, 0.52, -0.66, -1.15, -1.34, -1.39, 1.74, -1.05)

# How much words say, in nats: so little that a word may be missing anywhere; what an English word or a number of
# one or two digits says, a name, and a Chinese word that no dictionary has.
COMMON, ENGLISH, NAME, UNLISTED = 7.0, 8.5, 12.0, 12.0
LEAST = 0.3  # beyond common words, for a word to be looked for
PARTS = 0.6  # what an identifier's parts are worth without the whole: TensorRT is not a tensor
LOOKED_INTO = 3  # of the best passages
MOST_CLAUSES = 6  # of a question, for it to be read without each of them
MOST_WORDS = 10  # longer questions are longer in what they tell, not in what they ask

_PLAIN = re.compile(r"[A-Z]?[a-z]+")
_SHORT_NUMBER = re.compile(r"\d{1,2}")
_CLAUSE_END = re.compile(r"[，；：。！？]+|[,;:.!?]+(?=\s|$)")
_HOW = re.compile(
    r"(?:怎么|咋)(?![样会]|回事)|怎样|如何|\bhow (?:to|(?:do|can|should) (?:i|you|we|one))\b", re.IGNORECASE
)
_FACT = re.compile(  # one number, name, date or place
    r"多少|百分之几|多[长大高快久宽深远]|(?<![哪好])几[^个句乎何]|几个"
    r"|谁|哪[位家]|哪[个所]?(?:公司|大学|机构|团队|人)|作者|创始人|哪一?年|什么时候|何时|几[月号]|哪天|啥时候|哪[里儿]|在哪|网址"
    r"|how (?:many|much|long|large|big|tall|old|fast)|\bwho\b|\bwhose\b|which (?:company|university|team|lab)"
    r"|\bwhen (?:was|were|did|is)\b|what (?:year|date)|\bwhere\b",
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"(?:吗|(?<![什怎这那多])么)[？?]?\s*$|是否|是不是|能不能|可不可以|会不会|算不算"
    r"|^\s*(?:is|are|was|were|do|does|did|can|could|will|has|have)\b",
    re.IGNORECASE,
)
_ASKS_NUMBER = re.compile(
    r"多少|多[长大高快久]|几[年月天层张次倍岁]|哪一?年|是在?(?:什么时候|何时)"
    r"|how (?:many|much|long|large|big|tall|old)\b|^when (?:was|were|did)\b|what year",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"哪[几些种类]")
_HOW_MANY = re.compile(r"几([^乎何]{1,2})")  # of what
_COUNTED = r"[\d一二两三四五六七八九十百千万亿]\s*[个多余]?(?:{})"
_WRITTEN = {"点": "[点时:：]", "号": "[号日]", "块": "[块元]"}  # how what is spoken so is written too
_NUMBER = re.compile(  # which is not part of a name, as in GPT-4, GPT 3 / 4 or 2-bit
    r"(?<![A-Za-z\d_.\-/])(?<![A-Za-z] )(?<!/ )\d+(?:\.\d+)?(?![A-Za-z]*[-_.][A-Za-z])"
    r"|[百千万亿]|[二三四五六七八九十两][个种类年月天层张次倍岁]"
)


class Held(NamedTuple):
    """A passage as it is looked into: what it says, and its terms."""

    text: str
    terms: Container[str]


class Measures(NamedTuple):
    """What tells whether there is an answer; `unsaid` to `relation` as ln(1 + nats).

    `words` is how many the question has, ten at most. `unsaid` is what the best passage lacks of it, words weighing by
    how seldom an answer does without them; `held` and `lacking` are what the best of the best passages in this regard
    has and lacks, words weighing by how much they say beyond common ones, and `relation` is what none of them has of
    the words beside names: what is asked of the things named. `how` and `fact` are 1 if that is asked for, `numberless`
    if a number is that none of the best passages has, `kindless` if a thing of some kind is and the best passage names
    none, `maker` if an organisation is and it names one; `unknown` weighs the weightiest name that the knowledge base
    does not have.
    """

    words: float
    unsaid: float
    held: float
    lacking: float
    relation: float
    how: float
    fact: float
    numberless: float
    kindless: float
    maker: float
    unknown: float


def answerable(question: str, best: Sequence[Held], vocabulary: Container[str]) -> float:
    """The probability that the best passages for a question, of which there is one at least, hold the answer.

    Of a question with several clauses one may tell why it is asked: the question without it counts if that is likelier.
    `vocabulary` has the terms of all passages.
    """
    return max(probability(measured(asked, best, vocabulary)) for asked in (question, *_without_a_clause(question)))


def _without_a_clause(question: str) -> list[str]:
    clauses = [clause for clause in _CLAUSE_END.split(question) if clause.strip()]
    if not 1 < len(clauses) <= MOST_CLAUSES:
        return []
    return [" ".join(clauses[:i] + clauses[i + 1 :]) for i in range(len(clauses))]


def measured(question: str, best: Sequence[Held], vocabulary: Container[str]) -> Measures:
    """The measures of a question and the best passages for it, of which there is one at least.

    `vocabulary` has the terms of all passages. A greeting is a question without words.
    """
    words = [] if is_greeting(question) else list(dict.fromkeys(content_words(question)))
    names = _names(question, words)
    needed = {word: -math.log(unsaid_share(word)) for word in words}
    says = {word: NAME - COMMON if word in names else _says(word) for word in words}
    telling = {word: nats for word, nats in says.items() if nats > LEAST}
    beside = {word: nats for word, nats in telling.items() if word not in names}
    opposites = {word: opposites_of(word.casefold()) if _WHETHER.search(question) else () for word in words}
    found = [
        {word: max(_match(each, passage.text, passage.terms) for each in (word, *opposites[word])) for word in words}
        for passage in best[:LOOKED_INTO]
    ]
    known = {name: max(_known(name, vocabulary), *(matches[name] for matches in found)) for name in names}
    return Measures(
        words=min(len(words), MOST_WORDS),
        unsaid=_lacking(needed, found[:1]),
        held=math.log1p(max(_weight(telling, matches) for matches in found)),
        lacking=_lacking(telling, found),
        relation=_lacking(beside, found),
        how=bool(_HOW.search(question)),
        fact=bool(_FACT.search(question)),
        numberless=all(lacks_number(question, passage.text) for passage in best[:LOOKED_INTO]),
        kindless=lacks_kind(question, best[0].text, best[0].terms),
        maker=names_maker(question, best[0].text, best[0].terms),
        unknown=max((needed[name] * (1 - known[name]) for name in names), default=0.0),
    )


def lacks_number(question: str, text: str) -> bool:
    """Whether the question asks for a number and the text has none that is not a part of a name or of the question."""
    return bool(_ASKS_NUMBER.search(question)) and set(_NUMBER.findall(question)).issuperset(_NUMBER.findall(text))


def asks_for_one(question: str) -> bool:
    """Whether one thing answers the question: a fact, or whether something is so."""
    return not _SEVERAL.search(question) and bool(_FACT.search(question) or _WHETHER.search(question))


def probability(measures: Measures) -> float:
    """Logistic regression on the measures; nothing answers a question without words that could be looked for."""
    if not measures.words:
        return 0.0
    logit = INTERCEPT + sum(weight * measure for weight, measure in zip(WEIGHTS, measures, strict=True))
    return 1 / (1 + math.exp(-logit))


def _weight(weights: Mapping[str, float], matches: Mapping[str, float]) -> float:
    return sum(weight * matches[word] for word, weight in weights.items())


def _lacking(weights: Mapping[str, float], found: Sequence[Mapping[str, float]]) -> float:
    """What the passage that has most of these words lacks of them, as ln(1 + nats)."""
    return math.log1p(sum(weights.values()) - max(_weight(weights, matches) for matches in found))


def _names(question: str, words: Sequence[str]) -> list[str]:
    """The words that name something: of another script than the question, or not in lower case throughout."""
    latin = [word for word in words if not HAN_START.match(word) and not _SHORT_NUMBER.fullmatch(word)]
    if any(HAN_START.match(word) for word in words):
        return latin
    first = question.split(maxsplit=1)[0] if latin else ""
    return [word for word in latin if not word.islower() and word != first]


def _says(word: str) -> float:
    """How much a word says beyond common ones, in nats."""
    if HAN_START.match(word):
        return max(0.0, (information(word) or UNLISTED) - COMMON)
    common = _SHORT_NUMBER.fullmatch(word) or (_PLAIN.fullmatch(word) and is_listed(word))
    return (ENGLISH if common else NAME) - COMMON


def _match(word: str, text: str, held: Container[str]) -> float:
    """How surely a passage says a word; "how many days" (几天) by any number of days."""
    if asks := _HOW_MANY.fullmatch(word):
        return float(bool(re.search(_COUNTED.format(_WRITTEN.get(asks[1], asks[1])), text)))
    if len(word) == 1 and HAN_START.match(word):
        return float(word in text)
    sure = _known(word, held)
    return 1.0 if sure < 1 and (translated := _translated(word)) and translated.search(text) else sure


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


def _known(word: str, held: Container[str]) -> float:
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
