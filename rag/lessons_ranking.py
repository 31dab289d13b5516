"""Choices to teach the chat model with: of several pieces of text, which one a question or heading belongs to.

    python -m rag.lessons_ranking reading --reading READING --corpus CORPUS --out ranking.jsonl
    python -m rag.lessons_ranking guide --out ranking.jsonl        # from the knowledge base in GUIDE_HOME

The wrong pieces are those that are hardest to tell from the right one: of the same passage, of others with the most
words in common, of the same table.
"""

import argparse
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kb.records import Hit, Passage
from kb.settings import load_settings
from kb.store import Store
from models.corpus import is_held_out, read_corpus, read_rows
from rag.lessons import HEADED, guide_lessons
from rag.pieces import Piece, pieces
from rag.prompt import ASK_BACK, ask_back
from rag.quote import overlaps, shown

OTHERS = 3
WRONG = 5
LONGEST = 150


@dataclass(frozen=True)
class Choice:
    """A text that belongs to one of several pieces, each with what it is about."""

    continuation: str
    candidates: tuple[tuple[str, str], ...]
    right: int

    def row(self) -> dict[str, object]:
        prompts = [[asdict(message) for message in ask_back(about, text)] for about, text in self.candidates]
        return {"prompts": prompts, "continuation": self.continuation, "right": self.right}


def reading_choices(folder: Path, seed: int = 17) -> Iterator[Choice]:
    """From questions over passages: the piece that holds the answer, and the hardest others of four passages."""
    order = random.Random(seed)
    for file in sorted(folder.glob("*.qa.jsonl.xz")):
        passages = {row["id"]: row for row in read_rows(Path(str(file).replace(".qa.", ".corpus.")))}
        taught = sorted(name for name in passages if not is_held_out(name))
        for row in read_rows(file):
            if is_held_out(row["context_id"]) or not row["answer_in_context"]:
                continue
            names = [row["context_id"], *order.sample(taught, OTHERS)]
            hits = [passage_hit(name, passages[name]["title"], passages[name]["text"]) for name in names]
            found = [piece for piece in pieces(hits) if len(piece.text) <= LONGEST]
            right = [piece for piece in found if any(answer in piece.text for answer in row["answers"])]
            wrong = [piece for piece in found if piece not in right]
            if right and len(wrong) >= 2:
                yield _choice(row["question"], right[0], _hardest(row["question"], wrong, order), order)


def heading_choices(corpus: Path, share: float, seed: int = 17) -> Iterator[Choice]:
    """From a corpus: a heading, what stands under it, and what stands under others of its document."""
    order = random.Random(seed)
    for document in read_corpus(corpus, ("zh",)):
        found = HEADED.findall(document.text)
        if document.held_out or document.collection == "laws" or len(found) < 3:
            continue
        for at, (heading, body) in enumerate(found):
            if order.random() < share:
                others = [text for i, (_, text) in enumerate(found) if i != at and text != body]
                texts = [body, *order.sample(others, min(WRONG, len(others)))]
                order.shuffle(texts)
                yield Choice(heading.strip(), tuple(("", text[:LONGEST]) for text in texts), texts.index(body))


def guide_choices(passages: Iterable[Passage], seed: int = 17) -> Iterator[Choice]:
    """From a knowledge base: what its lessons ask of a row, item or sentence, and others of the same kind."""
    order = random.Random(seed)
    found = pieces([Hit(passage, 1.0, None, None) for passage in passages])
    told = {ask_back(piece.about, shown(piece))[0].content: piece for piece in found}
    for asked, answer in guide_lessons(passages):
        right = told.get(asked.content) if asked.content.endswith(ASK_BACK) else None
        if right is not None:
            wrong = [piece for piece in found if piece is not right and len(piece.text) <= LONGEST]
            yield _choice(answer.content, right, _hardest(answer.content, wrong, order), order)


def passage_hit(name: str, title: str, text: str) -> Hit:
    """A passage of a reading set as a search would return it."""
    return Hit(Passage(name, name, title, "prose", text, (title,), 0, len(text), 1, 1), 1.0, None, None)


def _hardest(question: str, wrong: Sequence[Piece], order: random.Random) -> list[Piece]:
    """The pieces with most of the question's words, and one by chance."""
    shares = overlaps(question, wrong)
    ranked = sorted(range(len(wrong)), key=lambda i: -shares[i])
    chosen = ranked[: WRONG - 1] + order.sample(ranked[WRONG - 1 :], min(1, max(0, len(ranked) - WRONG + 1)))
    return [wrong[i] for i in chosen]


def _choice(continuation: str, right: Piece, wrong: Sequence[Piece], order: random.Random) -> Choice:
    candidates = [right, *wrong]
    order.shuffle(candidates)
    return Choice(
        continuation,
        tuple((piece.about, shown(piece)) for piece in candidates),
        next(i for i, piece in enumerate(candidates) if piece is right),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    reading = kinds.add_parser("reading")
    reading.add_argument("--reading", type=Path, required=True)
    reading.add_argument("--corpus", type=Path, required=True)
    reading.add_argument("--headings", type=float, default=0.05, help="share of the corpus's headings to take")
    guide = kinds.add_parser("guide")
    for kind in (reading, guide):
        kind.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.kind == "reading":
        choices = [*reading_choices(given.reading), *heading_choices(given.corpus, given.headings)]
    else:
        choices = list(guide_choices(Store.open(load_settings()).passages()))
    rows = (json.dumps(choice.row(), ensure_ascii=False) for choice in choices)
    given.out.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(choices)} choices written to {given.out}")


if __name__ == "__main__":
    main()
