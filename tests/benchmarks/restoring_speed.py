"""How fast restoring is beside ftfy, in one run: clean text, text damaged without loss, and with loss.

    python -m tests.benchmarks.restoring_speed --corpus CORPUS [--out record.json]

Each figure is the median over rounds of characters a second of processor time, on documents that no model has learnt
from, other ones in each round.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import ftfy

from ingest.mojibake import restore
from models.corpus import read_corpus
from tests.benchmarks.restoring import KINDS

ROUNDS = 5
LENGTHS = (1_500, 6_000)  # characters of clean text in a document


def sloppy(text: str) -> str:
    """Read as browsers read Windows-1252, where every byte is some character; the codec is ftfy's."""
    return str(text.encode(), "sloppy-windows-1252")


CASES: dict[str, Callable[[str], str]] = {
    "clean": lambda text: text,
    "latin-1": KINDS["latin-1"],
    "cp1252": sloppy,
    "cp1252 twice": lambda text: sloppy(sloppy(text)),
    **{kind: damage for kind, damage in KINDS.items() if kind != "latin-1"},
}
FLOORS = {"clean": 5.0, "latin-1": 1.0, "cp1252": 1.0, "cp1252 twice": 1.0}  # times ftfy; else 0.2


def speed(work: Callable[[str], object], texts: Sequence[str]) -> float:
    began = time.process_time()
    for text in texts:
        work(text)
    return sum(map(len, texts)) / max(time.process_time() - began, 1e-9)


def documents(corpus: Path, length: int, rounds: int) -> list[list[str]]:
    """Other documents for each round, each cut to `length`."""
    texts = [d.text[:length] for d in read_corpus(corpus, ("zh", "zh_sharealike")) if d.held_out]
    long_enough = [text for text in texts if len(text) == length]
    return [long_enough[n::rounds] for n in range(min(rounds, len(long_enough)))]


def measured(damage: Callable[[str], str], rounds: Sequence[Sequence[str]]) -> dict[str, float]:
    ours, theirs = [], []
    for texts in rounds:
        damaged = [damage(text) for text in texts]
        restore(KINDS["cp1252_dropped"]("加载模型，然后训练。"))
        ours.append(speed(restore, damaged))
        theirs.append(speed(ftfy.fix_text, damaged))
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return {"ratio": statistics.median(ratios), "restore": statistics.median(ours), "ftfy": statistics.median(theirs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="write a JSON record here")
    options = parser.parse_args()
    restore(KINDS["cp1252_dropped"]("加载模型，然后训练。"))  # loads the language model
    results = {}
    for length in LENGTHS:
        rounds = documents(options.corpus, length, ROUNDS)
        for case, damage in CASES.items():
            found = measured(damage, rounds)
            results[f"{case}, {length} characters"] = found | {"floor": FLOORS.get(case, 0.2)}
            print(
                f"{case:24} {length:6} characters: {found['restore']:12,.0f} a second, {found['ratio']:.2f} times ftfy "
                f"(at least {FLOORS.get(case, 0.2)})",
                flush=True,
            )
    if options.out:
        versions = {"python": platform.python_version(), "ftfy": version("ftfy"), "numpy": version("numpy")}
        options.out.write_text(json.dumps({"versions": versions, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
