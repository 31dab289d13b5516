"""Each command on real documents and models, through the same entry as the installed one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook

from api.cli import run
from api.services import Services
from kb.records import Document
from kb.settings import SOURCES, load_settings

QUESTION = "QLoRA 的适用场景是什么？"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with two small documents, one of them in a folder of its own."""
    folder = tmp_path / "documents"
    (folder / "子").mkdir(parents=True)
    (folder / "a.md").write_text("# 甲\n\n苹果是红色的水果。\n", encoding="utf-8")
    (folder / "子" / "b.txt").write_text("香蕉是黄色的水果。\n", encoding="gb18030")
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = run(arguments)
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out


def printed_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(printed(capsys, *arguments, "--json"))


def without_timings(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "timings_ms"}


def test_a_second_ingest_changes_nothing(capsys: pytest.CaptureFixture[str], documents: Path, tmp_path: Path) -> None:
    arguments = ["ingest", str(documents), "--home", str(tmp_path / "home")]
    first = printed_json(capsys, *arguments)["documents"]
    assert {(row["name"], row["status"]) for row in first} == {("a.md", "added"), ("子/b.txt", "added")}
    assert {row["status"] for row in printed_json(capsys, *arguments)["documents"]} == {"unchanged"}
    (documents / "a.md").write_text("# 甲\n\n苹果是绿色的水果。\n", encoding="utf-8")
    assert "changed" in printed(capsys, *arguments)


def test_what_is_passed_over_in_a_folder_is_said(
    capsys: pytest.CaptureFixture[str], documents: Path, tmp_path: Path
) -> None:
    (documents / "gone.md").symlink_to(documents / "nowhere.md")
    (documents / "old.xls").touch()
    workbook = Workbook()
    workbook.active.append(["橘子", "橙色"])
    workbook.save(documents / "c.xlsx")
    assert run(["ingest", str(documents), "--home", str(tmp_path / "home")]) == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        f"guide: passed over, for they are no files: {documents / 'gone.md'} (a broken link).",
        "guide: passed over, of kinds that are not read: 1 .xls.",
    ]
    assert captured.out.count("added") == 3


def test_one_bad_file_does_not_keep_the_others_out(
    capsys: pytest.CaptureFixture[str], documents: Path, tmp_path: Path
) -> None:
    (documents / "empty.md").touch()
    assert run(["ingest", str(documents), "--home", str(tmp_path / "home")]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "empty.md" in captured.err
    assert captured.out.count("added") == 2


def test_after_an_ingest_a_search_analyses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, documents: Path, tmp_path: Path
) -> None:
    home = ["--home", str(tmp_path / "home")]
    printed(capsys, "ingest", str(documents), *home)
    monkeypatch.setattr("kb.lexical.LexicalIndex._renewed", None)
    assert printed(capsys, "search", "LoRA", *home)


def test_ingest_without_a_path_takes_the_guide(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    rows = printed_json(capsys, "ingest", "--home", guide_home)["documents"]
    assert {row["name"] for row in rows} == {path.name for path in SOURCES.iterdir()}
    assert {row["status"] for row in rows} == {"unchanged"}


def test_documents_are_listed_and_their_texts_written(
    capsys: pytest.CaptureFixture[str], guide_home: str, tmp_path: Path, services: Services
) -> None:
    rows = printed_json(capsys, "documents", "list", "--home", guide_home, "--out", str(tmp_path))["documents"]
    assert [row["name"] for row in rows] == sorted(path.name for path in SOURCES.iterdir())
    for row in rows:
        written = (tmp_path / row["name"]).read_bytes().decode("utf-8")
        assert written == services.store.document(row["id"]).text
        assert row["chars"] == len(written)


def test_documents_alone_lists_them(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    bare = printed(capsys, "documents", "--home", guide_home)
    assert bare == printed(capsys, "documents", "list", "--home", guide_home)
    assert len(bare.splitlines()) == 5


def test_show_prints_the_restored_text_to_the_letter(
    capsys: pytest.CaptureFixture[str], guide_home: str, services: Services
) -> None:
    text = services.store.document("peft_model_reference.md").text
    assert printed(capsys, "documents", "show", "peft_model_reference.md", "--home", guide_home) == text


def test_repairs_stand_where_they_say(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    document = printed_json(capsys, "documents", "show", "peft_model_reference.md", "--home", guide_home)
    assert document["damage"]
    assert document["repairs"]
    for repair in document["repairs"]:
        assert document["text"][repair["start"] : repair["end"]] == repair["after"]
        assert 0 < repair["confidence"] <= 1
        assert repair["doubtful"] == (repair["confidence"] < 0.9)
    listed = printed(capsys, "documents", "show", "peft_model_reference.md", "--repairs", "--home", guide_home)
    assert len(listed.splitlines()) == len(document["repairs"])
    assert listed.count("  doubtful") == sum(repair["doubtful"] for repair in document["repairs"]) > 0
    show = ["documents", "show", "peft_model_reference.md", "--repairs", "--home", guide_home]
    assert "doubtful" not in printed(capsys, *show, "--threshold", "0")


def test_delete_takes_a_document_away(capsys: pytest.CaptureFixture[str], documents: Path, tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    printed(capsys, "ingest", str(documents), *home)
    assert printed(capsys, "documents", "delete", "a.md", *home) == "deleted a.md\n"
    assert [row["name"] for row in printed_json(capsys, "documents", *home)["documents"]] == ["子/b.txt"]
    assert run(["documents", "delete", "a.md", *home]) == 1
    assert "a.md" in capsys.readouterr().err


def test_a_document_whose_name_leads_elsewhere_is_not_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    document = Document("1", "../escaped.md", "甲", "# 甲\n", "utf-8", "0" * 64)
    with Services(load_settings(home=home)) as services:
        services.store.replace(document, [], np.zeros((0, 8), np.float32), "test", "test")
    assert run(["documents", "list", "--out", str(out), "--home", str(home)]) == 1
    assert "../escaped.md" in capsys.readouterr().err
    assert not (tmp_path / "escaped.md").exists()


def test_search_lists_hits_with_their_place(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    reply = printed_json(capsys, "search", QUESTION, "--top-k", "2", "--home", guide_home)
    listed = printed(capsys, "search", QUESTION, "--top-k", "2", "--home", guide_home)
    assert len(reply["passages"]) == 2
    for passage in reply["passages"]:
        assert f"{passage['source']}:{passage['lines'][0]}" in listed


def test_search_is_held_to_documents_headings_and_kinds(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    held = ["--document", "llm_guide.md", "--document", "quick_start.md", "--kind", "list"]
    passages = printed_json(capsys, "search", QUESTION, *held, "--home", guide_home)["passages"]
    assert passages
    assert {passage["source"] for passage in passages} <= {"llm_guide.md", "quick_start.md"}
    assert {passage["kind"] for passage in passages} <= {"list"}
    below = printed_json(capsys, "search", QUESTION, "--section", "qlora", "--home", guide_home)["passages"]
    assert all(any("QLoRA" in heading for heading in passage["section"]) for passage in below)
    assert run(["search", QUESTION, "--document", "nowhere.md", "--home", guide_home]) == 1
    assert "nowhere.md" in capsys.readouterr().err


def test_an_answer_can_be_held_to_some_documents(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    held = printed_json(capsys, "ask", QUESTION, "--document", "peft_model_reference.md", "--home", guide_home)
    assert {passage["source"] for passage in held["passages"]} == {"peft_model_reference.md"}
    assert run(["ask", QUESTION, "--plain", "--document", "llm_guide.md", "--home", guide_home]) == 2
    assert "--plain looks at no passages" in capsys.readouterr().err


def test_ask_prints_the_answer_and_its_sources(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    reply = printed_json(capsys, "ask", QUESTION, "--home", guide_home)
    shown = printed(capsys, "ask", QUESTION, "--home", guide_home)
    assert shown.startswith(reply["answer"])
    assert "来源" in shown
    assert all(f"[{citation['n']}] {citation['source']}" in shown for citation in reply["citations"])


def test_ask_plain_cites_nothing(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    reply = printed_json(capsys, "ask", QUESTION, "--plain", "--adapter", "none", "--home", guide_home)
    assert (reply["mode"], reply["adapter"], reply["citations"]) == ("plain", None, [])


def test_plain_needs_no_knowledge_base(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert printed_json(capsys, "ask", QUESTION, "--plain", "--home", str(tmp_path))["mode"] == "plain"


def test_compare_prints_four_answers(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    reply = printed_json(capsys, "compare", QUESTION, "--seed", "3", "--home", guide_home)
    assert reply["seed"] == 3
    assert len({answer["variant"] for answer in reply["answers"]}) == 4
    assert printed(capsys, "compare", QUESTION, "--home", guide_home).count("── ") == 4


@pytest.mark.parametrize("command", ["search", "ask"])
def test_a_file_of_questions_gives_a_line_each_as_single_questions_do(
    command: str, capsys: pytest.CaptureFixture[str], guide_home: str, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = [
        {"id": "b", "question": QUESTION},
        {"question": "What is LoRA?"},
        {"id": 3, "question": "今天天气怎么样？"},
    ]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in asked), encoding="utf-8")
    lines = printed(capsys, command, "--questions", str(file), "--jsonl", "--home", guide_home).splitlines()
    replies = [json.loads(line) for line in lines]
    assert [reply["id"] for reply in replies] == ["b", None, 3]
    for row, reply in zip(asked, replies, strict=True):
        single = printed_json(capsys, command, str(row["question"]), "--home", guide_home)
        assert without_timings(reply) == without_timings(single) | {"id": row.get("id")}


def test_the_question_can_come_from_standard_input(
    capsys: pytest.CaptureFixture[str], guide_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{QUESTION}\n"))
    assert printed_json(capsys, "search", "-", "--home", guide_home)["question"] == QUESTION


def test_tables_are_listed_and_shown(capsys: pytest.CaptureFixture[str], guide_home: str, services: Services) -> None:
    tables = printed_json(capsys, "tables", "--home", guide_home)["tables"]
    listed = printed(capsys, "tables", "list", "--home", guide_home)
    assert all(table["id"] in listed and table["title"] in listed for table in tables)
    methods = next(table for table in tables if table["columns"][:1] == ["框架"])
    assert printed_json(capsys, "tables", "show", methods["id"], "--home", guide_home) == methods
    assert printed_json(capsys, "tables", "show", "微调框架对比", "--home", guide_home) == methods
    shown = printed(capsys, "tables", "show", methods["id"], "--home", guide_home)
    text = services.store.document(methods["document_id"]).text
    for row in methods["rows"]:
        assert all(cell in shown for cell in row["cells"])
        for cell, (start, end) in zip(row["cells"], row["spans"], strict=True):
            assert text[start:end].strip("*") == cell


def test_tables_of_one_document(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    reply = printed_json(capsys, "tables", "--document", "peft_model_reference.md", "--home", guide_home)
    assert {table["source"] for table in reply["tables"]} == {"peft_model_reference.md"}
    assert reply["tables"][0]["kind"] == "entries"
    assert printed_json(capsys, "tables", "--document", "quick_start.md", "--home", guide_home) == {"tables": []}


@pytest.mark.parametrize("arguments", [["show", "没有这张表"], ["list", "--document", "none.md"], ["show", "家族"]])
def test_a_table_that_is_not_there_is_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str], guide_home: str
) -> None:
    assert run(["tables", *arguments, "--home", guide_home]) == 1
    assert capsys.readouterr().err.count("\n") == 1
