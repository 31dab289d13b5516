"""An evaluation as a table in a terminal, or as a JSON record."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.render import print_line, visible

SEARCH = ("questions", "hit@1", "hit@3", "hit@5", "mrr", "recall@10", "ndcg@10", "evidence@800")
ASK = ("answerable", "fact_recall@300", "wrongly_abstained", "abstention", "quotes", "quotes_verbatim")


def show_evaluation(console: Console, report: dict[str, Any]) -> None:
    """A line for each kind of question and one for all."""
    _show(console, "Search", "search", SEARCH, report)
    if "ask" in report:
        _show(console, "Answers", "ask", ASK, report)
        print_line(console, f"Answers without a citation: {report['ask']['answers_without_citation']}")
    print_line(console, f"Characters of a passage, on average: {report['search']['mean_passage_chars']}")


def as_text(report: dict[str, Any]) -> str:
    """The report as JSON."""
    return json.dumps(report, ensure_ascii=False, indent=1)


def _show(console: Console, title: str, part: str, columns: tuple[str, ...], report: dict[str, Any]) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("kind")
    for column in columns:
        table.add_column(column, justify="right")
    for kind, scores in report["kinds"].items():
        if any(scores[part][column] for column in columns):
            table.add_row(Text(visible(kind) or "-"), *_cells(scores[part], columns))
    table.add_row("all", *_cells(report[part], columns), style="bold")
    console.print(table)


def _cells(scores: Mapping[str, float | None], columns: tuple[str, ...]) -> list[str]:
    values = (scores[column] for column in columns)
    return ["" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}" for value in values]
