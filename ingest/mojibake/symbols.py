"""What the language models see of a text: a symbol for each character that carries language, none for markup.

Runs of Latin letters and digits are one symbol, so that the characters on both sides of `LoRA` or `0.8.0` stay within
reach of an n-gram; marks of emphasis and code, and spaces, are passed over, so that words are whole across them.
"""

import re

__all__ = ["NEWLINE", "WORD", "symbols"]

WORD = "a"
NEWLINE = "\n"
TOKENS = re.compile(r"(?P<word>[A-Za-z0-9\u00c0-\u024f]+(?:[._-][A-Za-z0-9]+)*)|(?P<space>\s+)|[^\s*`_\\~|>#]")


def symbols(text: str) -> str:
    """The symbols of `text`, one character each."""
    return "".join(map(_symbol, TOKENS.finditer(text)))


def _symbol(token: re.Match[str]) -> str:
    if token.lastgroup == "word":
        return WORD
    if token.lastgroup == "space":
        return NEWLINE if "\n" in token.group() else ""
    return token.group()
