"""`guide evaluate`: scores as the questions' scorer counts them, records, plots, and what goes wrong."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.cli import run
from api.evaluating import evaluation_report
from kb.errors import InputError
from kb.records import Answer, Citation, Hit, Passage, Usage
from kb.settings import ROOT
from rag.evaluate import Graded, GradedQuestion, evaluate, read_graded, threshold_curve
from rag.retrieve import Found

if TYPE_CHECKING:
    from api.services import Services

SHARED = ROOT.parent / "shared" / "eval"
OURS = ROOT / "tests" / "guide_questions.jsonl"


def found(*texts: str, answerable: float = 0.9) -> Found:
    starts = [1000 * number for number in range(len(texts))]
    passages = [
        Passage(text, "d", "d.md", "prose", text, (), start, start + len(text), 1, 1)
        for text, start in zip(texts, starts, strict=True)
    ]
    return Found(tuple(Hit(passage, 1.0, None, None) for passage in passages), {}, answerable, "q")


def answer(text: str, *quotes: str) -> Answer:
    citations = tuple(Citation(n, quote, "d.md", (), 0, 1, (1, 1), None) for n, quote in enumerate(quotes, 1))
    return Answer("q", text, not quotes, "rag", "quote", "m", None, citations, (), Usage(0, 0))


def test_scores_by_hand() -> None:
    questions = [
        GradedQuestion("first", kind="a", must=(("one",),), gold=("one",)),
        GradedQuestion("second", kind="a", must=(("two",),), gold=("two",)),
        GradedQuestion("nothing", kind="none"),
    ]
    founds = {
        "first": found("zero", "one"),
        "second": found("x" * 800, "zero", "nil", "two", answerable=0.6),
        "nothing": found("zero", answerable=0.2),
    }
    answers = {"first": answer("One [1]", "one"), "second": answer("Three [1]", "made up"), "nothing": answer("No.")}
    graded = evaluate(
        questions,
        founds.__getitem__,
        [hit.passage for each in founds.values() for hit in each.hits],
        ask=answers.__getitem__,
        text_of=lambda _: "zero one two",
    )
    report = graded.report()
    assert report["search"] == {
        "questions": 2,
        "hit@1": 0.0,
        "hit@3": 0.5,
        "hit@5": 1.0,
        "mrr": 0.375,
        "recall@5": 1.0,
        "recall@10": 1.0,
        "ndcg@10": 0.5308,  # the mean of 1 / log2(3) and 1 / log2(5)
        "evidence@800": 0.5,
        "mean_passage_chars": 136,
    }
    assert report["ask"] == {
        "answerable": 2,
        "fact_recall@300": 0.5,
        "wrongly_abstained": 0.0,
        "abstention": 1.0,
        "answers_without_citation": 0,
        "quotes": 2,
        "quotes_verbatim": 0.5,
        "mean_answer_chars": 5,
    }
    assert report["kinds"]["none"]["search"]["hit@1"] is None
    assert [line["rank"] for line in report["questions"]] == [2, 4, None]


def test_the_curve_of_abstaining_by_hand() -> None:
    def graded(kind: str, answerable: float, *, evidence: bool) -> Graded:
        return Graded(GradedQuestion("q", kind=kind), (), 0, evidence, 0, answerable)

    some = [graded("a", 0.9, evidence=True), graded("a", 0.4, evidence=True), graded("none", 0.6, evidence=False)]
    points = {point["threshold"]: point for point in threshold_curve(some)}
    assert points[0.5] == {"threshold": 0.5, "answered": 0.6667, "right": 0.5, "refused": 0.5, "abstained": 0.0}
    assert points[0.95] == {"threshold": 0.95, "answered": 0.0, "right": None, "refused": 1.0, "abstained": 1.0}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development questions are not beside the repository")
def test_scores_are_those_of_the_scorer(services: "Services", tmp_path: Path) -> None:
    from api.schemas import AskReply, SearchReply

    spec = importlib.util.spec_from_file_location("score_questions", SHARED / "score_questions.py")
    assert spec
    assert spec.loader
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    file = SHARED / "guide_questions.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for info in services.store.documents():
        (tmp_path / info.name).write_text(services.store.document(info.id).text, encoding="utf-8")
    searched = [SearchReply.of(q["question"], services.search(q["question"], 10), q["id"]) for q in rows]
    asked = [AskReply.of(services.ask(q["question"]), q["id"]) for q in rows]
    expected = {
        "search": scorer.search_scores(rows, [json.loads(one.model_dump_json()) for one in searched], verbose=False),
        "ask": scorer.ask_scores(rows, [json.loads(one.model_dump_json()) for one in asked], tmp_path, verbose=False),
    }
    report = evaluation_report(services, read_graded(file))
    for part, scores in expected.items():
        for name, value in scores.items():
            assert report[part][name] == pytest.approx(value, abs=1e-4), name


def test_a_record_a_plot_and_a_table(guide_home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, plot = tmp_path / "record.json", tmp_path / "new" / "plot.svg"
    command = ["evaluate", str(OURS), "--search-only", "--out", str(record), "--plot", str(plot), "--home", guide_home]
    assert run(command) == 0
    shown = capsys.readouterr().out
    written: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    assert all(kind in shown for kind in written["kinds"] if written["kinds"][kind]["search"]["questions"])
    assert f"{written['search']['hit@1']:.3f}" in shown
    assert "ask" not in written
    assert set(written["provenance"]) >= {"questions_sha256", "documents", "models", "versions"}
    assert plot.read_text(encoding="utf-8").startswith("<?xml")
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == written


def test_an_evaluation_can_be_stopped(services: "Services") -> None:
    def stop(_question: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt(total)

    with pytest.raises(KeyboardInterrupt, match="3"):
        evaluation_report(services, [GradedQuestion("LoRA")] * 3, answers=False, progress=stop)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no questions"),
        ("{", "not JSON"),
        ("[]", '"question"'),
        ('{"question": " "}', '"question"'),
        ('{"question": "q", "gold": "g"}', '"gold"'),
        ('{"question": "q", "must": ["m"]}', '"must"'),
        ('{"question": "q", "kind": 1}', '"kind"'),
    ],
)
def test_a_file_that_grades_nothing_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_graded(file)
    assert "q.jsonl" in str(caught.value)


def test_scores_are_shown_though_the_record_can_not_be_written(
    guide_home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    out = str(tmp_path / "file" / "record.json")
    assert run(["evaluate", str(OURS), "--search-only", "--json", "--out", out, "--home", guide_home]) == 1
    captured = capsys.readouterr()
    assert "provenance" in json.loads(captured.out)
    assert out in captured.err


def test_only_line_feeds_end_a_line(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_bytes('{"question": "a\u2028b\x85c"}\r\n\n{"question": "d"}'.encode())
    assert [one.text for one in read_graded(file)] == ["a\u2028b\x85c", "d"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl"):
        read_graded(tmp_path / "nowhere.jsonl")


def test_a_plot_without_matplotlib_or_of_another_format_is_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["evaluate", str(OURS), "--home", str(tmp_path), "--plot"]
    assert run([*command, "plot.bmp"]) == 1
    assert ".svg" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run([*command, "plot.svg"]) == 1
    assert "guide[plots]" in capsys.readouterr().err
