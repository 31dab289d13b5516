"""A conversation into one question that can be searched for by itself, and into what a model has room for.

A follow-up leaves out what was said before: "它的缺点呢？". It is told by its form, not by its matter: words that point
back, openings that go on, or a short question without a subject of its own. What it left out is taken from the
question before, which was made whole in the same way; a capable model is asked to write the whole question instead.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import groupby

from kb.language import is_greeting, language_of
from kb.segment import information, words
from kb.terms import ENGLISH_STOP_WORDS, HAN_STOP_WORDS
from models.chat import Chat, Conversation, Message

__all__ = ["fitting_turns", "follow_up", "rewritten", "standalone"]

LONGEST = 1000  # characters of a text that goes on from another or is gone on from; what is longer says itself
MOST_SUBJECTS = 3
SHORT_HAN = 12  # characters; a longer question without pronouns says itself what it is about
SHORT_ENGLISH = 5  # words
READ_TURNS = 6  # before the question that a model is to make whole
REWRITTEN_TOKENS = 128
LONGEST_REWRITTEN = 400
COMMON, UNLISTED = 7.0, 12.0  # nats that a word says which says nothing of a matter, and one that no dictionary has

IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:[-.+/]\w+)*(?:\s\d[\w.]*)?|\d[\w.-]*[A-Za-z]\w*", re.ASCII)
QUOTED = re.compile(r"[「“《\"](.{2,40}?)[」”》\"]")
HAN_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
ORDINALS = (("前者", 0), ("后者", 1), ("the former", 0), ("the latter", 1))
PRONOUNS_HAN = frozenset({"它", "它们", "其", "他", "他们", "她", "二者", "两者"})
POINTERS_HAN = frozenset({"该", "此", "上面", "上述", "前面", "以上", "刚才", "刚刚", "后一", "前一", "另一个"})
DEMONSTRATIVES_HAN = ("这", "那")
PRONOUNS_ENGLISH = re.compile(r"\b(it|its|they|them|their|both)\b", re.IGNORECASE)
POINTERS_ENGLISH = re.compile(r"\b(this|that|these|those|above|previous|other one|the same|instead)\b", re.IGNORECASE)
OPENING = re.compile(
    r"^\s*(?:(?:那么|那|还有|另外|以及|换成|如果是)(?!些|个|种)|(?:and|but|or|what about|how about)\b)[\s，,]*",
    re.IGNORECASE,
)
CLOSING = re.compile(r"[呢吗嘛][\s？?。.！!]*$|(?<![\s？?。.！!])[\s？?。.！!]+$")
ASKING = re.compile(r"什么|哪|谁|怎|多少|几|如何|为何|\b(?:what|who|when|where|which|how|why)\b", re.IGNORECASE)
DEFINITION = re.compile(
    r"什么是|何谓|^\s*(?:what\s+(?:is|are)|define|explain)\s+(?!it\b|its\b|the\s+\w+\W*$)", re.IGNORECASE
)
REWRITE = {
    "zh": (
        "把最后一个问题改写成不看前文也能懂的完整问题，补上省略的对象，不要回答。只输出改写后的问题。"
        "\n\n{turns}\n\n最后一个问题：{question}"
    ),
    "en": (
        "Rewrite the last question so that it can be understood without the conversation: fill in what it leaves out, "
        "and do not answer it. Output only the rewritten question.\n\n{turns}\n\nLast question: {question}"
    ),
}


def standalone(turns: Conversation, chat: Chat | None = None) -> str:
    """The last question of a conversation, made whole from the turns before it.

    With `chat`, a model that writes well, that one writes it where the question is a follow-up.
    """
    question, answered = "", ""
    for turn in turns[:-1]:
        if turn.role == "user" and not is_greeting(turn.content):
            question = follow_up(turn.content, question, answered)
        elif turn.role == "assistant":
            answered = turn.content
    last = turns[-1].content
    whole = follow_up(last, question, answered)
    if whole != last and chat is not None:
        return rewritten(turns, chat) or whole
    return whole


def follow_up(text: str, before: str, answered: str = "") -> str:
    """A question made whole from the whole question before it and its answer; unchanged if it is no follow-up.

    Of the question before and of the answer only the beginnings count, so that what is made of them stays a question.
    """
    text = text.strip()
    if not before.strip() or len(text) > LONGEST or is_greeting(text) or not _depends(text):
        return text
    before, answered = before[:LONGEST], answered[:LONGEST]
    subjects = _subjects(before) or _subjects(answered)[:1]
    if not subjects:
        return f"{before} {text}"
    for word, place in ORDINALS:
        if word in text.lower() and len(subjects) > place:
            return re.sub(word, subjects[place].replace("\\", r"\\"), text, count=1, flags=re.IGNORECASE)
    if replaced := _replaced(text, ("、" if language_of(text) == "zh" else " and ").join(subjects)):
        return replaced
    if _goes_on(text):
        return _instead(CLOSING.sub("", OPENING.sub("", text)).strip(), before)
    return f"{' '.join(subjects)} {text}"


def rewritten(turns: Conversation, chat: Chat) -> str | None:
    """The last question as the model writes it, whole; None where it writes none, or has no room for it."""
    question = turns[-1].content
    before = [turn for turn in turns[:-1] if turn.role != "system"][-READ_TURNS:]
    said = "\n".join(f"{turn.role}: {turn.content[:LONGEST_REWRITTEN]}" for turn in before)
    asked = [Message("user", REWRITE[language_of(question)].format(turns=said, question=question))]
    if chat.room(asked) < REWRITTEN_TOKENS:
        return None
    written = chat.submit(asked, None, max_new_tokens=REWRITTEN_TOKENS).result().text.strip()
    first = written.splitlines()[0].strip(' "“”') if written else ""
    return first if 0 < len(first) <= LONGEST_REWRITTEN else None


def fitting_turns(turns: Conversation, room: Callable[[Conversation], int], wanted: int) -> Conversation:
    """The turns without the oldest ones that the model's window has no room for; a leading system turn stays."""
    system = [turn for turn in turns[:1] if turn.role == "system"]
    rest = list(turns[len(system) :])
    starts = sorted({*range(0, len(rest), 2), len(rest) - 1})  # a question goes with its answer; the last one stays
    first = bisect_left(starts, True, hi=len(starts) - 1, key=lambda start: room([*system, *rest[start:]]) >= wanted)
    return [*system, *rest[starts[first] :]]


def _depends(text: str) -> bool:
    asked = OPENING.sub("", text)
    if _points_back(asked) or _goes_on(text):
        return True
    if _identifiers(text) or QUOTED.search(text) or DEFINITION.search(text):
        return False
    if language_of(text) == "zh":
        return sum(map(len, HAN_RUN.findall(text))) <= SHORT_HAN
    return len(text.split()) <= SHORT_ENGLISH


def _points_back(text: str) -> bool:
    for word in _han_words(text):
        if word in PRONOUNS_HAN | POINTERS_HAN or word.startswith(DEMONSTRATIVES_HAN):
            return True
    lowered = text.lower()
    return bool(
        PRONOUNS_ENGLISH.search(text) or POINTERS_ENGLISH.search(text) or any(word in lowered for word, _ in ORDINALS)
    )


def _goes_on(text: str) -> bool:
    """Whether it only puts something else into the question before: "那 QLoRA 呢？", "What about QLoRA?"."""
    asked = CLOSING.sub("", OPENING.sub("", text))
    opened = OPENING.match(text) or text.rstrip("？? ").endswith("呢")
    return bool(opened) and not ASKING.search(asked) and len(_content(asked)) <= 2


def _instead(asked: str, before: str) -> str:
    """The question before with `asked` where its like stood: its one name, or what ends alike (产假, 婚假)."""
    new, old = _identifiers(asked), _identifiers(before)
    if new and len(old) == 1:
        return re.sub(rf"(?<![A-Za-z0-9]){re.escape(old[0])}(?![A-Za-z0-9])", lambda _: asked.strip(), before)
    parts = [part for part in (*_han_words(before), *_content(before)) if len(part) > 1]
    alike = [part for part in parts if HAN_RUN.fullmatch(asked) and part[-1] == asked[-1]]
    return before.replace(alike[0], asked, 1) if alike else f"{before} {asked}"


def _replaced(text: str, subject: str) -> str | None:
    """The text with the subject where a pronoun stands, if there is one."""
    if PRONOUNS_ENGLISH.search(text):
        return PRONOUNS_ENGLISH.sub(lambda _: subject, text, count=1)
    for run in HAN_RUN.finditer(text):
        at = run.start()
        for word in words(run[0]):
            if word in PRONOUNS_HAN:
                return f"{text[:at]} {subject} {text[at + len(word) :]}".strip()
            at += len(word)
    return None


def _subjects(text: str) -> Sequence[str]:
    """What a question is about: names and identifiers, else what is quoted, else the stretch that says most."""
    found = _identifiers(text) or QUOTED.findall(text)
    if not found:
        stretches = _content(text)
        found = [max(stretches, key=_says)] if stretches else []
    return list(dict.fromkeys(found))[:MOST_SUBJECTS]


def _identifiers(text: str) -> list[str]:
    return [
        name for name in IDENTIFIER.findall(text) if name.lower() not in ENGLISH_STOP_WORDS and _is_name(name, text)
    ]


def _is_name(name: str, text: str) -> bool:
    """Any Latin word in Chinese text; in English what has a digit, or a capital inside the sentence."""
    if language_of(text) == "zh" or any(map(str.isdigit, name)):
        return True
    return not name.islower() and (not name.istitle() or not text.lstrip().startswith(name))


def _says(stretch: str) -> float:
    """How much a stretch says beyond common words, in nats; the name of a thing more than what is done with it."""
    return sum(max(0.0, (information(word) or UNLISTED) - COMMON) for word in words(stretch))


def _han_words(text: str) -> list[str]:
    return [word for run in HAN_RUN.findall(text) for word in words(run)]


def _content(text: str) -> list[str]:
    """The stretches of a text between stop words and words that ask."""
    stretches = []
    for run in HAN_RUN.findall(text):
        for stop, group in groupby(words(run), _only_asks):
            if not stop:
                stretches.append("".join(group))
    return stretches + [word for word in IDENTIFIER.findall(text) if word.lower() not in ENGLISH_STOP_WORDS]


def _only_asks(word: str) -> bool:
    return word in HAN_STOP_WORDS or bool(ASKING.search(word))
