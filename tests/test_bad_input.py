"""Bad input: one clear line that names what is wrong, and nothing stored is harmed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.cli import run
from api.services import Services
from kb.settings import load_settings

NOBODY = 65534


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command line that must fail, and give its one line on stderr."""
    assert run(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Unexpected" not in captured.err
    return captured.err


@contextmanager
def without_privileges() -> Iterator[None]:
    """As a user to whom file permissions apply, also when the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("missing.md", None, "no such file"),
        ("empty.md", b"", "empty"),
        ("blank.md", b" \n\t\n", "white space"),
        ("binary.md", bytes(range(256)) * 64, "not text"),
        ("picture.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + os.urandom(4096), "not text"),
        ("huge.md", "大文件\n".encode() * 5_000_000, "GUIDE_MAX_DOCUMENT_MB"),
    ],
    ids=["missing", "empty", "blank", "binary", "picture", "50 MB"],
)
def test_a_file_that_cannot_be_taken_in(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, data: bytes | None, reason: str
) -> None:
    file = tmp_path / name
    if data is not None:
        file.write_bytes(data)
    line = refused(capsys, "ingest", str(file), "--home", str(tmp_path / "home"))
    assert name in line
    assert reason in line


def test_a_folder_without_documents(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(capsys, "ingest", str(tmp_path / "empty"), "--home", str(tmp_path / "home"))


def test_a_gbk_file_is_read_as_what_it_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = "# 提示微调\n\n提示微调是一种参数高效的微调方法，它只训练少量的参数。\n"
    file = tmp_path / "gbk.md"
    file.write_bytes(text.encode("gbk"))
    assert run(["ingest", str(file), "--home", str(tmp_path / "home")]) == 0
    capsys.readouterr()
    assert run(["documents", "show", "gbk.md", "--home", str(tmp_path / "home")]) == 0
    assert capsys.readouterr().out == text


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    with Services(load_settings(home=tmp_path / "home")) as services, tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "closed"
        folder.mkdir()
        (folder / "a.md").write_text("# 甲", encoding="utf-8")
        Path(name).chmod(0o755)
        folder.chmod(0o000)
        pipeline = services.pipeline
        with without_privileges():
            outcomes = list(pipeline.ingest([folder]))
        folder.chmod(0o700)
    assert [outcome.status for outcome in outcomes] == ["failed"]
    assert "closed" in str(outcomes[0].error)


def test_a_file_where_nobody_may_look_is_named(tmp_path: Path) -> None:
    with Services(load_settings(home=tmp_path / "home")) as services, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.md").write_text("# 甲", encoding="utf-8")
        folder.chmod(0o000)
        pipeline = services.pipeline
        with without_privileges():
            outcomes = list(pipeline.ingest([folder / "a.md", folder / "below"]))
        folder.chmod(0o700)
    assert [outcome.status for outcome in outcomes] == ["failed"] * 2
    assert all("ermission" in str(outcome.error) for outcome in outcomes)


@pytest.mark.parametrize("command", ["search", "ask", "compare"])
def test_a_question_of_100_000_characters(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    line = refused(capsys, command, "问" * 100_000, "--home", str(tmp_path))
    assert "GUIDE_MAX_QUESTION_CHARS" in line
    assert len(line) < 300


@pytest.mark.parametrize("command", ["search", "ask", "compare"])
def test_a_question_before_any_document(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    assert "`guide ingest`" in refused(capsys, command, "什么是 LoRA？", "--home", str(tmp_path / "home"))


@pytest.mark.parametrize("command", ["search", "ask", "compare"])
def test_an_empty_question(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    assert "empty" in refused(capsys, command, " ", "--home", str(tmp_path))


def test_a_file_of_questions_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "none.jsonl" in refused(capsys, "ask", "--questions", str(tmp_path / "none.jsonl"), "--jsonl")


def test_a_broken_line_keeps_all_questions_from_being_asked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"question": "什么是 LoRA？"}\n{"question": \n', encoding="utf-8")
    assert "questions.jsonl, line 2" in refused(capsys, "ask", "--questions", str(file), "--jsonl")


def test_an_unknown_adapter_names_those_there_are(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    line = refused(capsys, "ask", "什么是 LoRA？", "--adapter", "no-such", "--home", guide_home)
    assert "no-such" in line
    assert "none" in line


def test_an_unknown_model_names_its_setting(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    line = refused(capsys, "ask", "什么是 LoRA？", "--chat-model", "no/such-model", "--home", guide_home)
    assert "GUIDE_CHAT_MODEL" in line


def test_an_unknown_document_names_the_nearest(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    line = refused(capsys, "documents", "show", "llm_guid.md", "--home", guide_home)
    assert "'llm_guid.md'" in line
    assert "Near to that: llm_guide.md." in line


def test_a_home_that_is_a_file_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    assert "home" in refused(capsys, "documents", "--home", str(tmp_path / "home"))
