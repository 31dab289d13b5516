"""Whether a passage can answer by what a question asks for: a licence for a licence, a maker for a maker.

The expected type of an answer (Li and Roth 2002) is told by the word for it and by the words around that. `kinds.tsv`
is written by hand, without regard to any document: each line has the words for a kind of things, and such things.
"""

import re
from collections.abc import Collection, Container, Iterator
from functools import cache
from itertools import pairwise, product
from pathlib import Path

from kb.names import organisations
from kb.terms import HAN_START, terms

__all__ = ["lacks_kind", "names_maker"]

KINDS = Path(__file__).parent / "kinds.tsv"
BETWEEN = 4  # characters at most between the question word and the kind: 什么（开源）许可证
WORDS = 3  # English words at most, the kind among them

_WHICH = re.compile(r"(?<!为)什么|哪(?!里|年|天|儿|怕)[些种个几类款门一]*|何种|几[种个类款门]")
_IS_WHAT = re.compile(r"(?:都|一共|主要)?(?:是什么|是啥|有哪|包括|有几|是哪|叫什么)")
# A verb, at which it has been said what is asked for.
_VERB = r"(?:do(?:es)?|did|ha[sd]|have|can|could|will|would|shall|should|may|might|must)\b"
_ENGLISH = re.compile(rf"\b(?:which|what)((?:\s+(?!{_VERB})[\w-]+){{1,{WORDS}}})", re.IGNORECASE)
_ORGANISATION = re.compile(
    r"哪家|哪[个所]?(?:公司|大学|学校|机构|团队|组织|厂商|实验室)|什么(?:公司|机构|团队|组织|厂商)|[来出]自哪"
    r"|谁.{0,3}(?:开发|研发|推出|出品|发布|做)|\bwho (?:made|makes|builds?|built|(?:develop|releas|creat)e[sd]?)\b"
    r"|which (?:company|university|team|lab|vendor|institute|organi[sz]ation)",
    re.IGNORECASE,
)


def names_maker(question: str, text: str, held: Container[str]) -> bool:
    """Whether an organisation is asked for and a passage of this text names one that the question does not."""
    return bool(_ORGANISATION.search(question)) and _names_one(organisations(), question, text, held)


def lacks_kind(question: str, text: str, held: Container[str]) -> bool:
    """Whether a thing of some kind is asked for and a passage of this text names none that the question does not."""
    kinds = [things for word in _asked_for(question.casefold()) if (things := _kinds().get(word))]
    return bool(kinds) and not any(_names_one(things, question, text, held) for things in kinds)


def _names_one(things: Collection[str], question: str, text: str, held: Container[str]) -> bool:
    asked, asked_terms = question.casefold(), set(terms(question))
    return any(
        thing in text and thing not in asked if HAN_START.match(thing) else thing in held and thing not in asked_terms
        for thing in things
    )


def _asked_for(question: str) -> Iterator[str]:
    """What may be words for the kind that is asked for."""
    for which in _WHICH.finditer(question):
        after = re.split(r"[，。？?]", question[which.end() : which.end() + BETWEEN + _longest() + 1])[0]
        starts_and_ends = product(range(BETWEEN + 1), range(2, BETWEEN + _longest() + 1))
        yield from (after[start:end] for start, end in starts_and_ends if after[end : end + 1] != "的")
    for what in _IS_WHAT.finditer(question):
        before = question[max(what.start() - _longest() - 1, 0) : what.start()]
        yield from (before[start:] for start in range(1, len(before)) if before[start - 1] in "的用")
    for named in _ENGLISH.finditer(question):
        words = [word.removesuffix("s") for word in named[1].split()]
        yield from words
        yield from map("-".join, pairwise(words))


@cache
def _kinds() -> dict[str, tuple[str, ...]]:
    """The things of each kind by the words for it, English ones as terms."""
    found = {}
    for line in KINDS.read_text(encoding="utf-8").splitlines():
        words, things = (field.split(" ") for field in line.split("\t"))
        spelt = tuple(thing if HAN_START.match(thing) else next(iter(terms(thing)), thing) for thing in things)
        found.update(dict.fromkeys(words, spelt))
    return found


@cache
def _longest() -> int:
    return max(map(len, _kinds()))
