"""What well-known things are called in Chinese and in English: 清华大学, 清华, Tsinghua; 英伟达, NVIDIA.

`names.tsv` is written by hand, without regard to any document: companies, universities, places, languages, products,
units. Each line has the names of one thing.
"""

from functools import cache
from pathlib import Path

__all__ = ["names"]

NAMES = Path(__file__).parent / "names.tsv"


@cache
def names() -> tuple[tuple[str, ...], ...]:
    """The names of each thing, English ones in lower case."""
    return tuple(tuple(line.split("\t")) for line in NAMES.read_text(encoding="utf-8").splitlines())
