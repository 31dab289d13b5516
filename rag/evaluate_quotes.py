"""Measures how well quotes are chosen, on reading questions that no model has learnt from.

    python -m rag.evaluate_quotes --reading READING [--chat MODEL] [--json FILE]

Each question gets its own passage and three others; one piece of at most 120 characters is chosen, and is right when it
holds the answer. Prints the share that is right by overlap alone, by the model's likelihood alone and by both, at
several weights of the likelihood.
"""

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kb.records import Hit, Passage
from kb.settings import load_settings
from models.chat import Chat
from models.corpus import is_held_out, read_rows
from models.load import load_chat
from rag.pieces import Piece, pieces
from rag.prompt import ask_back
from rag.quote import Weights, rank, shown

LONGEST = 120
OTHERS = 3


@dataclass(frozen=True)
class Choice:
    """A held-out question, the pieces to choose from, and for each whether it holds the answer."""

    question: str
    pieces: tuple[Piece, ...]
    right: NDArray[np.bool_]


def choices(folder: Path, seed: int = 17) -> list[Choice]:
    """Every held-out question of the reading sets with its passage among three others, all in random order."""
    order = random.Random(seed)
    passages = {row["id"]: row for file in sorted(folder.glob("*.corpus.jsonl.xz")) for row in read_rows(file)}
    held_out = sorted(name for name in passages if is_held_out(name))
    made = []
    for file in sorted(folder.glob("*.qa.jsonl.xz")):
        for row in read_rows(file):
            own = row["context_id"]
            if not is_held_out(own) or not row["answer_in_context"]:
                continue
            names = [own, *order.sample([name for name in held_out if name != own], OTHERS)]
            hits = [
                _hit(name, passages[name]["title"], passages[name]["text"]) for name in order.sample(names, len(names))
            ]
            found = tuple(piece for piece in pieces(hits) if len(piece.text) <= LONGEST)
            right = [any(answer in piece.text for answer in row["answers"]) for piece in found]
            made.append(Choice(row["question"], found, np.array(right)))
    return made


def likelihoods(chat: Chat, made: Sequence[Choice], adapter: str | None) -> list[NDArray[np.float64]]:
    """Log P(question | piece) in nats for the pieces of each choice."""
    scored = []
    for choice in made:
        asked = [ask_back(piece.about, shown(piece)) for piece in choice.pieces]
        scored.append(chat.score(asked, choice.question, [adapter] * len(asked)).nats)
    return scored


def share_right(made: Sequence[Choice], nats: Sequence[NDArray[np.float64] | None], weights: Weights) -> float:
    """The share of choices whose best piece holds the answer."""
    best = [int(rank(c.question, c.pieces, n, weights).argmax()) for c, n in zip(made, nats, strict=True)]
    return float(np.mean([choice.right[i] for choice, i in zip(made, best, strict=True)]))


def _hit(name: str, title: str, text: str) -> Hit:
    return Hit(Passage(name, name, title, "prose", text, (title,), 0, len(text), 1, 1), 1.0, None, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reading", type=Path, required=True)
    parser.add_argument("--chat", help="a chat model's folder, instead of the one in the settings")
    parser.add_argument("--adapter", default="none")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    chat = load_chat(load_settings(chat_model=given.chat, adapter=given.adapter))
    made = choices(given.reading)
    nats = likelihoods(chat, made, chat.adapter_name("default"))
    report = {
        "questions": len(made),
        "some piece is right": float(np.mean([choice.right.any() for choice in made])),
        "overlap": share_right(made, [None] * len(made), Weights(retrieval=0)),
        "likelihood": share_right(made, nats, Weights(overlap=0, retrieval=0, likelihood=1)),
        "both": {
            str(weight): share_right(made, nats, Weights(retrieval=0, likelihood=weight))
            for weight in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
        },
    }
    text = json.dumps(report, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
