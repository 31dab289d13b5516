"""The language of a text: the program answers, and speaks, in that of the question; and whether it asks for nothing."""

import re
from typing import Literal

__all__ = ["Language", "is_greeting", "language_of"]

Language = Literal["zh", "en"]

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003347f]")

GREETING = re.compile(
    r"\W*(?:(?:你们?|您|大家|早上|中午|下午|晚上)好|早安?|晚安|嗨|哈[喽啰]|谢谢(?:你|您)?|多谢|再见|拜拜|在吗"
    r"|hello|hi|hey|(?:thank you|thanks)(?: (?:so|very) much)?|(?:good ?)?bye|good (?:morning|afternoon|evening|night))"
    r"(?:[呀啊吗么了哦哈]|there|\W)*",
    re.IGNORECASE,
)


def language_of(text: str) -> Language:
    """Chinese as soon as there is one Han character, since English questions hold none."""
    return "zh" if HAN.search(text) else "en"


def is_greeting(text: str) -> bool:
    """Whether this is all a greeting, a farewell or thanks."""
    return GREETING.fullmatch(text) is not None
