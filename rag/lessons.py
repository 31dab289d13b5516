"""Conversations to teach the chat model with: from open reading sets, from a corpus, and from a knowledge base.

    python -m rag.lessons reading --reading READING --corpus CORPUS --out reading.jsonl
    python -m rag.lessons guide --out guide.jsonl        # from the knowledge base in GUIDE_HOME

Each lesson is either a question with its answer (plain) or a piece of text with a question that it answers (ask back),
which is how the model learns to tell which piece a question is about.
"""

import argparse
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kb.records import Hit, Passage
from kb.settings import load_settings
from kb.store import Store
from models.chat import Conversation, Message
from models.corpus import is_held_out, read_corpus, read_rows
from rag.pieces import Piece, pieces, row_cells, sentences
from rag.prompt import ask_back, plain
from rag.quote import shown

PLAIN_SHARE = 0.3
CELL_QUESTIONS = (
    "{} 的{}是什么？",
    "请介绍 {} 的{}。",
    "说说{}的{}",
    "{} 的{}怎么样？",
    "关于 {}，它的{}呢？",
    "{} 有什么{}？",
    "{}{}",
    "What is the {1} of {0}?",
)
ROW_QUESTIONS = ("介绍一下 {}", "{} 是什么？", "{} 怎么样？", "What is {}?")
TERM_QUESTIONS = ("请解释{}。", "{}指的是什么？", "{}是什么？", "说说{}", "{}是做什么的？", "What is {}?")
_DEFINITION = re.compile(r"^([^：:\n\[\]<>/]{2,60}?)\s*[：:]\s*([^/\s][^\n]{3,})$")
HEADED = re.compile(r"^#+ +([^\n]{4,40})\n+([^#\n|][^\n]{30,300})$", flags=re.MULTILINE)


def reading_lessons(folder: Path) -> Iterator[Conversation]:
    """From questions over passages: the sentence that holds the answer, and the question."""
    for file in sorted(folder.glob("*.qa.jsonl.xz")):
        passages = {row["id"]: row for row in read_rows(Path(str(file).replace(".qa.", ".corpus.")))}
        for row in read_rows(file):
            if is_held_out(row["context_id"]) or not row["answer_in_context"]:
                continue
            passage = passages[row["context_id"]]
            piece = _holding(passage["text"], row["answers"][0])
            if piece:
                yield from _both_ways(passage["title"], piece, row["question"])


def heading_lessons(corpus: Path, share: float) -> Iterator[Conversation]:
    """From a corpus: what stands under a heading, and the heading; a seeded `share` of all that are to be had."""
    chosen = random.Random(17)
    for document in read_corpus(corpus, ("zh",)):
        if document.held_out or document.collection == "laws":
            continue
        for heading, body in HEADED.findall(document.text):
            if chosen.random() < share:
                yield (*ask_back("", body), Message("assistant", heading.strip()))


def guide_lessons(passages: Iterable[Passage]) -> Iterator[Conversation]:
    """From a knowledge base: its tables' cells and its defined terms, asked for in plain words."""
    hits = [Hit(passage, score=1.0, dense=None, lexical=None) for passage in passages]
    for piece in pieces(hits):
        if piece.kind == "table_row":
            yield from _row_lessons(piece)
        elif piece.kind in ("item", "sentence"):
            yield from _definition_lessons(piece)


def _row_lessons(piece: Piece) -> Iterator[Conversation]:
    cells = row_cells(piece.text)
    if len(piece.header) != len(cells):
        return
    subject = cells[0]
    everything = "；".join(f"{name}：{cell}" for name, cell in zip(piece.header[1:], cells[1:], strict=True))
    yield (*ask_back(piece.about, shown(piece)), Message("assistant", f"介绍一下 {subject}"))
    for form in ROW_QUESTIONS:
        yield (*plain(form.format(subject)), Message("assistant", everything))
    for name, cell in zip(piece.header[1:], cells[1:], strict=True):
        questions = [form.format(subject, name) for form in CELL_QUESTIONS]
        yield (*ask_back(piece.about, shown(piece)), Message("assistant", questions[len(cell) % len(questions)]))
        for question in questions if cell else ():
            yield (*plain(question), Message("assistant", cell))


def _definition_lessons(piece: Piece) -> Iterator[Conversation]:
    found = _DEFINITION.match(shown(piece))
    if not found or "http" in piece.text:
        return
    subject, meaning = found[1].replace(" › ", " 的").strip(), found[2].strip()
    questions = [form.format(subject) for form in TERM_QUESTIONS]
    yield (*ask_back(piece.about, shown(piece)), Message("assistant", questions[len(meaning) % len(questions)]))
    for question in questions:
        yield (*plain(question), Message("assistant", meaning))


def _both_ways(title: str, piece: str, question: str) -> Iterator[Conversation]:
    titled = random.Random(question).random() < 0.5
    yield (*ask_back(title if titled else "", piece), Message("assistant", question))
    if random.Random(piece).random() < PLAIN_SHARE:
        yield (*plain(question), Message("assistant", piece))


def _holding(text: str, answer: str) -> str | None:
    """The sentence that holds the answer, when it is of a sensible length."""
    found = (text[start:end] for start, end in sentences(text) if answer in text[start:end])
    piece = next(found, None)
    return piece if piece and len(piece) <= 200 else None


def write(lessons: Iterable[Conversation], out: Path) -> int:
    """Writes distinct lessons as JSON Lines; returns their number."""
    rows: dict[str, None] = {}
    for lesson in lessons:
        row: dict[str, Any] = {"messages": [asdict(message) for message in lesson]}
        rows[json.dumps(row, ensure_ascii=False)] = None
    out.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    reading = kinds.add_parser("reading")
    reading.add_argument("--reading", type=Path, required=True)
    reading.add_argument("--corpus", type=Path, required=True)
    reading.add_argument("--headings", type=float, default=0.15, help="share of the corpus's headings to take")
    guide = kinds.add_parser("guide")
    for kind in (reading, guide):
        kind.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.kind == "reading":
        lessons = [*reading_lessons(given.reading), *heading_lessons(given.corpus, given.headings)]
    else:
        lessons = list(guide_lessons(Store.open(load_settings()).passages()))
    print(f"{write(lessons, given.out)} lessons written to {given.out}")


if __name__ == "__main__":
    main()
