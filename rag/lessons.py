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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kb.files import write_file
from kb.records import Hit, Passage, Table
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
INVERSE_QUESTIONS = ("{}用什么？", "{}用哪个？", "哪个是{}？")
TERM_QUESTIONS = ("请解释{}。", "{}指的是什么？", "{}是什么？", "说说{}", "{}是做什么的？", "What is {}?")
LONGEST, SHORT = 120, 30
_NUMBERING = re.compile(r"^\W*(?:\d[\d.]*\s+)?")
_GLOSS = re.compile(r"(?<=\w)\s*[(（][^()（）]+[)）]$")
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


def guide_lessons(passages: Iterable[Passage], tables: Iterable[Table] = ()) -> Iterator[Conversation]:
    """From a knowledge base: its tables' cells and its defined terms, asked for in plain words."""
    hits = [Hit(passage, score=1.0, dense=None, lexical=None) for passage in passages]
    for piece in pieces(hits):
        if piece.kind == "table_row":
            yield from _row_lessons(piece)
        elif piece.kind in ("item", "sentence"):
            yield from _definition_lessons(piece)
    for table in tables:
        for row in table.rows:
            named = dict(zip(table.columns[1:], (cell.text for cell in row.cells[1:]), strict=True))
            cells = {name: text for name, text in named.items() if 0 < len(text) <= LONGEST}
            yield from _cell_lessons(_NUMBERING.sub("", row.cells[0].text), cells, inverse=table.kind == "list")


def _row_lessons(piece: Piece) -> Iterator[Conversation]:
    """Which row is asked about: questions that it answers."""
    cells = row_cells(piece.text)
    if len(piece.header) != len(cells):
        return
    yield (*ask_back(piece.about, shown(piece)), Message("assistant", f"介绍一下 {cells[0]}"))
    for name, cell in zip(piece.header[1:], cells[1:], strict=True):
        question = CELL_QUESTIONS[len(cell) % len(CELL_QUESTIONS)].format(cells[0], name)
        yield (*ask_back(piece.about, shown(piece)), Message("assistant", question))


def _cell_lessons(subject: str, cells: Mapping[str, str], *, inverse: bool) -> Iterator[Conversation]:
    """What a row says, whole and cell by cell; of a list's also which of its names a description belongs to."""
    if not cells:
        return
    names = (subject, _GLOSS.sub("", subject)) if _GLOSS.search(subject) else (subject,)
    whole = "；".join(f"{name}：{cell}" for name, cell in cells.items())
    if len(cells) == 1:
        whole = whole.partition("：")[2]
    for n, form in enumerate(ROW_QUESTIONS):
        yield (*plain(form.format(names[n % len(names)])), Message("assistant", whole))
    for name, cell in cells.items():
        for n, form in enumerate(CELL_QUESTIONS if len(cells) > 1 else ()):
            yield (*plain(form.format(names[n % len(names)], name)), Message("assistant", cell))
        for form in INVERSE_QUESTIONS if inverse and len(cell) <= SHORT else ():
            yield (*plain(form.format(cell.rstrip("。."))), Message("assistant", subject))


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
    """Writes distinct lessons as JSON Lines; returns their number.

    Raises:
        InputError: they can't be written there.
    """
    rows: dict[str, None] = {}
    for lesson in lessons:
        row: dict[str, Any] = {"messages": [asdict(message) for message in lesson]}
        rows[json.dumps(row, ensure_ascii=False)] = None
    write_file(out, ("\n".join(rows) + "\n").encode())
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
        store = Store.open(load_settings())
        tables = store.tables([document.id for document in store.documents()])
        lessons = list(guide_lessons(store.passages(), tables))
    print(f"{write(lessons, given.out)} lessons written to {given.out}")


if __name__ == "__main__":
    main()
