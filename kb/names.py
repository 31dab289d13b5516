"""What well-known things are called in Chinese and in English: 清华大学, 清华, Tsinghua; 英伟达, NVIDIA.

`organisations.tsv` (companies, universities, institutes, bodies) and `names.tsv` (places, languages, products, units,
people) are written by hand, without regard to any document. Each line has the names of one thing.
"""

from functools import cache
from itertools import chain
from pathlib import Path

__all__ = ["names", "organisations"]

ORGANISATIONS, OTHERS = (Path(__file__).parent / f"{name}.tsv" for name in ("organisations", "names"))


@cache
def names() -> tuple[tuple[str, ...], ...]:
    """The names of each thing, English ones in lower case."""
    return (*_rows(ORGANISATIONS), *_rows(OTHERS))


@cache
def organisations() -> frozenset[str]:
    """All names of organisations."""
    return frozenset(chain.from_iterable(_rows(ORGANISATIONS)))


def _rows(table: Path) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split("\t")) for line in table.read_text(encoding="utf-8").splitlines())
