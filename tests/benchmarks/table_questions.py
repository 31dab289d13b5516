"""Measures what it is worth to know the rows that a question names, and chooses how much that counts.

    python -m tests.benchmarks.table_questions --corpus CORPUS

On documents that are not the guide: a question for every row or cell of their tables (right is a passage that holds
the cell), and one for every heading (right is a passage of its section), which must not suffer. Prints a table in
Markdown for docs/retrieval.md.
"""

import argparse
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.pipeline import Pipeline
from ingest.sections import split_sections
from kb.lexical import LexicalIndex
from kb.records import Document, Hit, Table
from kb.settings import load_settings
from kb.store import Store
from models.corpus import CorpusDocument, read_corpus
from models.embed import load_embedder
from rag.cells import NamedCells
from rag.retrieve import DEPTH, fuse, without_overlaps

DOCUMENTS = 400
LONGEST = 20_000
PER_KIND = 400
WEIGHTS = (0.0, 0.15, 0.3, 0.4, 0.6, 1.0)
NUMBERING = re.compile(r"^\W*[\d.]*\s*")


@dataclass(frozen=True)
class Question:
    """A question that the span [start, end) of a document answers; `whole`: a passage must hold all of it."""

    kind: str
    text: str
    document: str
    start: int
    end: int
    whole: bool

    def answered_by(self, hit: Hit) -> bool:
        passage = hit.passage
        if passage.document_id != self.document:
            return False
        if self.whole:
            return passage.start <= self.start and self.end <= passage.end
        return self.start <= passage.start < self.end


def cell_questions(tables: Sequence[Table]) -> Iterator[Question]:
    for table in tables:
        for row in table.rows if table.kind != "entries" else ():
            name = NUMBERING.sub("", row.cells[0].text)
            named = list(zip(table.columns, row.cells, strict=True))[1:]
            for column, cell in named if table.kind != "list" else named[-1:]:
                asked = f"{name} 是什么？" if table.kind == "list" else f"{name} 的{column}是什么？"
                if name and cell.text:
                    yield Question(table.kind, asked, table.document_id, cell.start, cell.end, whole=True)


def heading_questions(document: Document) -> Iterator[Question]:
    for section in split_sections(document.text):
        if section.path and len(section.path[-1]) >= 4 and section.end - section.start > 120:
            yield Question("heading", section.path[-1], document.id, section.start, section.end, whole=False)


def documents(corpus: Path) -> list[CorpusDocument]:
    """Chinese documents that no model was trained on, one version of each."""
    held_out = {re.split("[@#]", each.name)[0]: each for each in read_corpus(corpus, ("zh",)) if each.held_out}
    fitting = [each for each in held_out.values() if each.collection != "laws" and len(each.text) < LONGEST]
    return random.Random(7).sample(fitting, min(DOCUMENTS, len(fitting)))


def measure(store: Store, questions: Sequence[Question]) -> Iterator[tuple[float, float, float, float]]:
    """For each weight: the weight, hit@1, hit@5 and MRR."""
    settings = load_settings()
    embedder, lexical, cells = load_embedder(settings), LexicalIndex.build(store.passages()), NamedCells(store.tables)
    ranks: dict[float, list[int]] = {weight: [] for weight in WEIGHTS}
    for question in questions:
        dense = store.nearest(embedder.embed_query(question.text), DEPTH)
        found, rarity = lexical.search(question.text, DEPTH), lexical.rarity(question.text)
        passages = {passage for passage, _ in (*found, *dense)}
        spans = {each: (each.document_id, each.start, each.end) for each in passages}
        named = cells.shares(question.text, rarity, spans)
        ideal = sum(rare for _, rare in rarity)
        for weight in WEIGHTS:
            fused = fuse(dense, found, ideal, lambda passage: passage, named=named, cell_weight=weight)
            hits = without_overlaps(fused, 10)
            ranks[weight].append(next((n for n, hit in enumerate(hits, 1) if question.answered_by(hit)), 0))
    for weight, places in ranks.items():
        yield (
            weight,
            sum(rank == 1 for rank in places) / len(places),
            sum(1 <= rank <= 5 for rank in places) / len(places),
            sum(1 / rank for rank in places if rank) / len(places),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=Path(home))
        store = Store.open(settings)
        pipeline = Pipeline(store, lambda: load_embedder(settings), settings)
        for number, each in enumerate(documents(given.corpus)):
            pipeline.ingest_bytes(f"{each.collection}-{number}.md", each.text.encode())
        headed = (store.document(info.id) for info in store.documents())
        asked: dict[str, list[Question]] = {}
        for question in [*cell_questions(store.tables()), *(one for each in headed for one in heading_questions(each))]:
            asked.setdefault(question.kind, []).append(question)
        print("| asked for | questions | weight | hit@1 | hit@5 | MRR |\n|---|---|---|---|---|---|")
        for kind, questions in asked.items():
            drawn = random.Random(1).sample(questions, min(PER_KIND, len(questions)))
            for weight, *scores in measure(store, drawn):
                print(f"| {kind} | {len(drawn)} | {weight:g} |", " | ".join(f"{score:.3f}" for score in scores), "|")


if __name__ == "__main__":
    main()
