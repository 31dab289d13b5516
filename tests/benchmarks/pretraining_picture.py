"""Draws how the chat base learnt: loss over tokens, in training and on held-out documents.

    python -m tests.benchmarks.pretraining_picture RUN/log.jsonl --out docs/images/pretraining.svg

Needs `pip install guide[bench]`. The log of the shipped base is `tests/benchmarks/records/pretraining.jsonl`.
"""

import argparse
import json
from pathlib import Path

LEVEL, HELD_OUT, DECAY, DECAYED = "loss", "held_out", "decay_loss", "decayed_held_out"


def points(log: Path, name: str) -> tuple[list[float], list[float]]:
    """Millions of tokens and nats a token, wherever the log tells `name`."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    told = [row for row in rows if name in row]
    return [row["tokens"] / 1e6 for row in told], [row[name] for row in told]


def draw(log: Path, out: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(*points(log, LEVEL), label="training, level learning rate")
    axes.plot(*points(log, DECAY), label="training, annealed", alpha=0.7)
    axes.plot(*points(log, HELD_OUT), "o", label="held-out documents")
    axes.plot(*points(log, DECAYED), "D", label="held-out documents, annealed")
    axes.set(xlabel="million tokens", ylabel="nats a token")
    axes.legend(frameon=False)
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    draw(given.log, given.out)


if __name__ == "__main__":
    main()
