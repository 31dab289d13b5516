"""What each part of retrieval is worth: the guide's questions with one part left out at a time.

    python -m tests.benchmarks.ablation NAME=QUESTIONS.jsonl[,QUESTIONS.jsonl…]… [--out RECORD.json]

Prints a table in Markdown for docs/retrieval.md: hit@1 / hit@5 / MRR / evidence@800 of each group of questions, which
is one file or several that are taken together.
"""

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from api.services import Services
from kb.settings import SOURCES, load_settings
from kb.variants import translations
from rag.evaluate import GradedQuestion, evaluate, read_graded
from tests.benchmarks.provenance import provenance, write_record

MEASURES = ("hit@1", "hit@5", "mrr", "evidence@800")
TOP = 10


@cache
def _translations() -> dict[str, tuple[tuple[str, float], ...]]:
    return {term: tuple(others.items()) for term, others in translations().items()}


# What is patched, in whose place what comes.
PARTS: dict[str, dict[str, Any]] = {
    "all": {},
    "without the embedding": {"rag.retrieve.DENSE_WEIGHT": 0.0, "rag.retrieve.LINE_SHARE": 0.0},
    "without BM25": {"rag.retrieve.LEXICAL_WEIGHT": 0.0},
    "without names, dictionary and synonyms": {"kb.lexical.variants_of": lambda term: _translations().get(term, ())},
    "without any of these and learnt terms in the other language": {"kb.lexical.VARIANT_WEIGHT": 0.0},
    "without the best lines": {"rag.retrieve.LINE_SHARE": 0.0},
    "without what passages say of the question": {"rag.retrieve.SAID_SHARE": 0.0},
    "without named rows": {"rag.retrieve.NamedCells.shares": lambda *_: {}},
    "with pairs across words counted as rare": {"kb.lexical.incidental": lambda _: set()},
    "with overlaps": {"rag.retrieve.without_overlaps": lambda hits, k: list(hits)[:k]},
}


@contextmanager
def patched(changes: dict[str, Any]) -> Iterator[None]:
    with ExitStack() as patches:
        for name, value in changes.items():
            patches.enter_context(patch(name, value))
        yield


def measured(services: Services, groups: dict[str, list[GradedQuestion]]) -> dict[str, dict[str, Any]]:
    """The scores of each group of questions, by its name."""
    passages = services.store.passages()
    search: Callable[[str], Any] = lambda question: services.search(question, TOP)  # noqa: E731
    return {name: evaluate(questions, search, passages).search() for name, questions in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", nargs="+", metavar="NAME=QUESTIONS.jsonl[,QUESTIONS.jsonl…]")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    named = (group.split("=", 1) for group in given.questions)
    groups = {name: [Path(file) for file in files.split(",")] for name, files in named}
    questions = {name: [one for file in files for one in read_graded(file)] for name, files in groups.items()}
    scores: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as home, Services(load_settings(home=Path(home))) as services:
        list(services.pipeline.ingest([SOURCES]))
        print("| | " + " | ".join(groups) + " |\n|---|" + "---|" * len(groups))
        for name, changes in PARTS.items():
            with patched(changes):
                scores[name] = measured(services, questions)
            cells = [" / ".join(f"{one[measure]:.3f}" for measure in MEASURES) for one in scores[name].values()]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    if given.out:
        every = [file for files in groups.values() for file in files]
        hashes = {
            f"{file.resolve().parent.name}/{file.stem}": hashlib.sha256(file.read_bytes()).hexdigest() for file in every
        }
        write_record(given.out, {**provenance("chromadb", "bm25s", "numpy"), "questions": hashes, "scores": scores})


if __name__ == "__main__":
    main()
