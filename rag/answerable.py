"""Whether the knowledge base answers a question at all: a calibrated probability from plain measures of its words."""

import math
import re
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from kb.unsaid import unsaid_share
from rag.forms import gives
from rag.kinds import lacks_kind, names_maker
from rag.words import Held, asked, asks_whether, known

__all__ = ["LOOKED_INTO", "Measures", "answerable", "asks_for_one", "lacks_number", "measured", "probability"]

# Fitted by tests/benchmarks/tune_abstention.py; docs/retrieval.md says on what. One weight for each of the measures.
INTERCEPT, WEIGHTS = -0.18, (0.53, -1.59, 0.91, -1.41, 0.61, -0.63, -1.12, -1.9, -1.11, 1.84, -1.17)

LOOKED_INTO = 3  # of the best passages
MOST_CLAUSES = 6  # of a question, for it to be read without each of them
MOST_WORDS = 10  # longer questions are longer in what they tell, not in what they ask

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
_ASKS_NUMBER = re.compile(
    r"多少|多[长大高快久]|几[年月天层张次倍岁]|哪一?年|是在?(?:什么时候|何时)"
    r"|how (?:many|much|long|large|big|tall|old)\b|^when (?:was|were|did)\b|what year",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"哪[几些种类]")
_NUMBER = re.compile(  # which is not part of a name, as in GPT-4, GPT 3 / 4 or 2-bit
    r"(?<![A-Za-z\d_.\-/])(?<![A-Za-z] )(?<!/ )\d+(?:\.\d+)?(?![A-Za-z]*[-_.][A-Za-z])"
    r"|[百千万亿]|[二三四五六七八九十两][个种类年月天层张次倍岁]"
)


class Measures(NamedTuple):
    """What tells whether there is an answer; `unsaid` to `relation` as ln(1 + nats).

    `words` is how many the question has, ten at most. `unsaid` is what the best passage lacks of it, words weighing by
    how seldom an answer does without them; `held` and `lacking` are what the best of the best passages in this regard
    has and lacks, words weighing by how much they say beyond common ones, and `relation` is what none of them has of
    the words beside names: what is asked of the things named. `how` and `fact` are 1 if that is asked for, `numberless`
    if a number is that none of the best passages has, `kindless` if a thing of some kind or form is and the best
    passage has none, `kind` if an organisation or a thing of some form is and it has one; `unknown` weighs the
    weightiest name that the knowledge base does not have.
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
    kind: float
    unknown: float


def answerable(question: str, best: Sequence[Held], vocabulary: Container[str]) -> float:
    """The probability that the best passages for a question, of which there is one at least, hold the answer.

    Of a question with several clauses one may tell why it is asked: the question without it counts if that is likelier.
    `vocabulary` has the terms of all passages.
    """
    return max(probability(measured(way, best, vocabulary)) for way in (question, *_without_a_clause(question)))


def _without_a_clause(question: str) -> list[str]:
    clauses = [clause for clause in _CLAUSE_END.split(question) if clause.strip()]
    if not 1 < len(clauses) <= MOST_CLAUSES:
        return []
    return [" ".join(clauses[:i] + clauses[i + 1 :]) for i in range(len(clauses))]


def measured(question: str, best: Sequence[Held], vocabulary: Container[str]) -> Measures:
    """The measures of a question and the best passages for it, of which there is one at least.

    `vocabulary` has the terms of all passages. A greeting is a question without words.
    """
    words = asked(question)
    needed = {word: -math.log(unsaid_share(word)) for word in words.words}
    beside = {word: nats for word, nats in words.telling.items() if word not in words.names}
    found = [{word: words.said(word, passage) for word in words.words} for passage in best[:LOOKED_INTO]]
    form = gives(question, best[0].text)
    known_names = {name: max(known(name, vocabulary), *(said[name] for said in found)) for name in words.names}
    return Measures(
        words=min(len(words.words), MOST_WORDS),
        unsaid=_lacking(needed, found[:1]),
        held=math.log1p(max(_weight(words.telling, matches) for matches in found)),
        lacking=_lacking(words.telling, found),
        relation=_lacking(beside, found),
        how=bool(_HOW.search(question)),
        fact=bool(_FACT.search(question)),
        numberless=all(lacks_number(question, passage.text) for passage in best[:LOOKED_INTO]),
        kindless=form is False or lacks_kind(question, best[0].text, best[0].terms),
        kind=form is True or names_maker(question, best[0].text, best[0].terms),
        unknown=max((needed[name] * (1 - sure) for name, sure in known_names.items()), default=0.0),
    )


def lacks_number(question: str, text: str) -> bool:
    """Whether the question asks for a number and the text has none that is not a part of a name or of the question."""
    return bool(_ASKS_NUMBER.search(question)) and set(_NUMBER.findall(question)).issuperset(_NUMBER.findall(text))


def asks_for_one(question: str) -> bool:
    """Whether one thing answers the question: a fact, or whether something is so."""
    return not _SEVERAL.search(question) and (bool(_FACT.search(question)) or asks_whether(question))


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
