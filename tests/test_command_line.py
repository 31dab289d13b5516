"""What holds for every command: help, bad use, errors, pipes."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from api.__main__ import main
from api.cli import app, run
from api.options import error_border
from kb.errors import InputError
from tests.serving import GUIDE

HEAVY = {"chromadb", "fastapi", "jieba", "llama_index", "numpy", "peft", "pydantic", "torch", "transformers", "uvicorn"}
COMMANDS = ["ingest", "repair", "documents", "search", "ask", "compare", "serve"]


def guide(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a process of its own."""
    command = [str(Path(sys.executable).with_name("guide")), *arguments]
    return subprocess.run(command, check=False, capture_output=True, encoding="utf-8", env=os.environ | environment)


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; from api.cli import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    imported = {name.partition(".")[0] for name in done.stderr.split()}
    assert "typer" in imported
    assert not imported & HEAVY


def test_help_names_every_command() -> None:
    done = guide("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_without_a_command_help_is_printed() -> None:
    assert CliRunner().invoke(app, []).stdout == CliRunner().invoke(app, ["--help"]).stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["aks"], "Did you mean 'ask'"),
        (["ask"], "Give a question"),
        (["ask", "a?", "--questions", "b.jsonl", "--jsonl"], "not both"),
        (["ask", "a?", "--json", "--jsonl"], "one of them"),
        (["ask", "--questions", "b.jsonl", "--json"], "--jsonl"),
        (["ask", "a?", "--frobnicate"], "--frobnicate"),
        (["search", "a?", "--top-k", "0"], "--top-k"),
        (["search", "a?", "--top-k", "many"], "--top-k"),
        (["search", "a?", "--device", "abacus"], "--device"),
        (["ingest", ""], "empty"),
        (["repair", "", "-o", "b"], "empty"),
        (["search", "a?", "--home", ""], "empty"),
        (["search", "a?", "--home="], "empty"),
        (["repair", "."], "--out"),
        (["repair", "-", "a.md", "-o", "b"], "alone"),
        (["repair", "a.md", "--json"], "--out"),
        (["repair", "a.md", "-o", "b.md", "--json", "--diff"], "one of them"),
        (["repair", "a.md", "--jobs", "0"], "--jobs"),
        (["repair", "a.md", "--threshold", "1.5"], "--threshold"),
        (["serve", "--port", "65536"], "--port"),
        (["documents", "show"], "NAME"),
    ],
    ids=" ".join,
)
def test_bad_use_is_one_line_and_code_2(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("guide: ")
    assert reason in captured.err


def test_a_setting_that_cannot_be_used_is_named() -> None:
    done = guide("search", "a?", GUIDE_TOP_K="many")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "GUIDE_TOP_K" in done.stderr


def test_an_interrupt_while_the_command_is_imported_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "api.cli", Interrupted("api.cli"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130


def test_debug_shows_the_traceback() -> None:
    plain, debug = guide("ask", ""), guide("ask", "", "--debug")
    assert plain.returncode == debug.returncode == 1
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert plain.stderr.removeprefix("guide: ") in debug.stderr


def test_an_unexpected_error_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    with pytest.raises(typer.Exit) as caught, error_border(debug=False):
        raise KeyError("missing")
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == "guide: Unexpected KeyError: 'missing'. `--debug` shows where it comes from.\n"


def test_a_message_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    with pytest.raises(typer.Exit), error_border(debug=False):
        raise InputError("a\x1b[2Jb\nc\r\x07.md: no")
    assert capsys.readouterr().err == "guide: a\N{REPLACEMENT CHARACTER}[2Jb c \N{REPLACEMENT CHARACTER}.md: no\n"


def test_a_closed_pipe_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = Path(sys.executable).with_name("guide")
    done = subprocess.run([command, "--help"], check=False, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.stderr == b""


def test_what_is_piped_is_utf8_whatever_the_locale() -> None:
    done = guide("ask", "问" * 5000, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 1
    assert "GUIDE_MAX_QUESTION_CHARS" in done.stderr


def test_closed_streams_are_no_error() -> None:
    done = subprocess.run(f"{GUIDE} --version <&- >&- 2>&-", check=False, shell=True)  # noqa: S602 - our own
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_told_as_one(guide_home: str) -> None:
    with Path("/dev/full").open("w") as full:
        command = [GUIDE, "documents", "list", "--home", guide_home]
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, encoding="utf-8")
    assert done.returncode == 1
    assert done.stderr == "guide: The output can't be written: No space left on device.\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("guide se", ["search", "serve"]),
        ("guide documents ", ["list", "show", "delete"]),
        ("guide documents sh", ["show"]),
        ("guide documents show --rep", ["--repairs"]),
        ("guide search --kind ta", ["table", "table_row"]),
    ],
)
def test_a_shell_is_told_how_a_line_may_go_on(line: str, words: list[str]) -> None:
    environment = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_GUIDE_COMPLETE": "complete_bash"}
    assert guide(**environment).stdout.split() == words
