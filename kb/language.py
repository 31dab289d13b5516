"""The language of a text: the program answers, and speaks, in that of the question."""

import re
from typing import Literal

__all__ = ["Language", "language_of"]

Language = Literal["zh", "en"]

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003347f]")


def language_of(text: str) -> Language:
    """Chinese as soon as there is one Han character, since English questions hold none."""
    return "zh" if HAN.search(text) else "en"
