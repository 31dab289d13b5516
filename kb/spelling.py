"""Identifiers that are misspelt, put right by the terms that documents have: disitlbert asks for DistilBERT."""

import re
from collections.abc import Container, Iterator
from functools import cache, partial
from string import ascii_lowercase

from kb.terms import terms
from kb.unsaid import is_listed
from kb.variants import variants_of

__all__ = ["respelled"]

SHORTEST = 6  # letters; shorter names are too near to each other
LONGEST = 64  # for each letter there are 54 slips, each as long as the name
SHORTEST_REPLACED = 8  # for one letter in another's place, which tells Mistral from Mixtral too

_IDENTIFIER = re.compile(r"(?<![\w.\-])[A-Za-z][A-Za-z_\-]+(?![\w.\-])", re.ASCII)


def respelled(text: str, vocabulary: Container[str]) -> str:
    """The text with each identifier that the vocabulary lacks replaced by the only term that is one slip away.

    A slip (Damerau 1964) is two letters swapped, one left out, one too many or, in long names, one for another.
    """
    nearest = cache(partial(_nearest, vocabulary=vocabulary))
    return _IDENTIFIER.sub(lambda found: nearest(found[0]) or found[0], text)


def _nearest(identifier: str, vocabulary: Container[str]) -> str | None:
    """The only term that is one slip away; None if there is none, or the identifier is known in whatever way."""
    spelt = next(iter(terms(identifier)), "")
    if not SHORTEST <= len(spelt) <= LONGEST or spelt in vocabulary or is_listed(identifier):
        return None
    if any(variant in vocabulary for variant, _ in variants_of(spelt)):
        return None
    near = {other for other in _slips(spelt) if other in vocabulary}
    return near.pop() if len(near) == 1 else None


def _slips(word: str) -> Iterator[str]:
    for place in range(1, len(word) + 1):  # the first letter is seldom wrong, and tells QLoRA from LoRA
        before, after = word[:place], word[place:]
        yield before + after[1:]
        yield before + after[1:2] + after[:1] + after[2:]
        for letter in ascii_lowercase:
            yield before + letter + after
            if len(word) >= SHORTEST_REPLACED:
                yield before + letter + after[1:]
