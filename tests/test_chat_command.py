"""`guide chat` and `guide ask --stream`."""

import io

import pytest

from api.cli import run

QUESTION = "QLoRA 的适用场景是什么？"


def test_a_chat_understands_follow_ups_until_it_is_told_to_begin_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, guide_home: str
) -> None:
    lines = "LoRA 的适用场景是什么？\n\n那 QLoRA 呢？\n" + "问" * 5000 + "\n/new\n那 QLoRA 呢？\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert run(["chat", "--home", guide_home]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("(QLoRA 的适用场景是什么？)") == 1
    assert captured.out.count("来源") >= 2
    assert captured.err.count("\n") == 1
    assert "GUIDE_MAX_QUESTION_CHARS" in captured.err


def test_a_plain_chat_needs_no_documents(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, guide_home: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("你好\n"))
    assert run(["chat", "--plain", "--adapter", "none", "--home", guide_home]) == 0
    assert capsys.readouterr().out.strip()


def test_an_unknown_adapter_ends_a_chat(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    assert run(["chat", "--adapter", "no-such", "--home", guide_home]) == 1
    assert "no-such" in capsys.readouterr().err


def test_a_streamed_answer_is_the_same_answer(capsys: pytest.CaptureFixture[str], guide_home: str) -> None:
    arguments = ["ask", QUESTION, "--home", guide_home]
    assert run(arguments) == 0
    whole = capsys.readouterr().out
    assert run([*arguments, "--stream"]) == 0
    assert capsys.readouterr().out == whole
    assert run([*arguments, "--stream", "--json"]) == 2
    assert "--stream" in capsys.readouterr().err
