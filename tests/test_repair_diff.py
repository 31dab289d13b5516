"""`guide repair --diff`: what changed, and what was inferred in it."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from api.changes import ChangedLine, changed_lines
from api.cli import run
from api.render_changes import show_changes, show_legend
from ingest.mojibake import restore
from kb.records import Repair

DAMAGE: dict[str, Callable[[str], str]] = {
    "cp1252": lambda text: text.encode().decode("cp1252", errors="ignore"),
    "cp1254, replaced": lambda text: text.encode().decode("cp1254", errors="replace"),
    "latin-1": lambda text: text.encode().decode("latin-1"),
    "twice": lambda text: text.encode().decode("latin-1").encode().decode("cp1252", errors="ignore"),
    "gbk": lambda text: text.encode().decode("gbk", errors="ignore"),
    "as gbk": lambda text: text.encode("gb18030").decode("latin-1"),
}
PARTS = [
    "加载模型，",
    "然后训练。",
    "前后两名用户",
    "在家中",
    "LoRA",
    " ",
    "\n",
    "\r\n",
    "\n\n",
    "a | b",
    "é",
    "\x85",
    "\u2028",
]
LINE = ChangedLine(
    12, "before", "一二三四", (Repair(1, 2, "?", "二", 0.95, ("儿",)), Repair(2, 3, "?", "三", 0.5, ("川", "王")))
)


def shown(console: Console, *lines: ChangedLine, threshold: float = 0.9) -> str:
    show_changes(console, "a.md", ("cp1252",), lines, threshold=threshold)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def pipe() -> Console:
    return Console(file=io.StringIO(), highlight=False, markup=False, width=10_000)


def terminal(**options: bool) -> Console:
    return Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard", **options)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join), st.sampled_from(sorted(DAMAGE)))
def test_the_changed_lines_lead_from_the_damaged_text_to_the_restored(text: str, damage: str) -> None:
    damaged = DAMAGE[damage](text)
    restored = restore(damaged)
    lines = damaged.split("\n")
    inferred = []
    for changed in changed_lines(damaged, restored):
        assert lines[changed.number - 1] == changed.before != changed.after
        lines[changed.number - 1] = changed.after
        for repair in changed.inferred:
            assert changed.after[repair.start : repair.end] == repair.after
            inferred.append(repair.after)
    assert "\n".join(lines) == restored.text
    assert inferred == [repair.after for repair in restored.repairs]


def test_a_clean_text_has_no_changed_lines() -> None:
    text = "# 提示微调\n\n提示微调只训练少量参数。\n"
    assert list(changed_lines(text, restore(text))) == []


def test_in_a_pipe_what_was_inferred_is_marked_and_doubtful_places_have_their_alternatives() -> None:
    sure = ChangedLine(3, "å", "五", (Repair(0, 1, "å", "五", 0.995),))
    assert shown(pipe(), sure, LINE).splitlines() == [
        "a.md  cp1252",
        " 3 - å",
        " 3 + ⟨五⟩",
        "12 - before",
        "12 + 一⟨二~⟩⟨三?⟩四",
        "12 ? 三 0.50 or 川 王",
    ]


@pytest.mark.parametrize(
    ("threshold", "marked"), [(0, "一⟨二~⟩⟨三~⟩四"), (0.96, "一⟨二?⟩⟨三?⟩四"), (0.5, "一⟨二~⟩⟨三~⟩四")]
)
def test_the_threshold_decides_what_is_marked_as_doubtful(threshold: float, marked: str) -> None:
    assert f"12 + {marked}\n" in shown(pipe(), LINE, threshold=threshold)


def test_on_a_terminal_what_was_inferred_has_the_colour_of_its_confidence() -> None:
    assert "一\x1b[33m二\x1b[0m\x1b[1;31m三\x1b[0m四\n" in shown(terminal(), LINE)


def test_without_colours_there_are_marks() -> None:
    colourless = shown(terminal(no_color=True), LINE)
    assert "一⟨二~⟩⟨三?⟩四\n" in colourless
    assert "\x1b[33m" not in colourless


@pytest.mark.parametrize(
    ("threshold", "said"),
    [
        (0.9, "⟨字⟩ 0.99 or surer   ⟨字~⟩ 0.9 or surer   ⟨字?⟩ doubtful: below 0.9\n"),
        (0.995, "⟨字⟩ 0.995 or surer   ⟨字?⟩ doubtful: below 0.995\n"),
    ],
)
def test_the_legend_tells_what_the_marks_mean(threshold: float, said: str) -> None:
    console = pipe()
    show_legend(console, threshold)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == f"Inferred characters: {said}"


def test_a_long_line_goes_on_under_its_own_beginning_on_a_terminal() -> None:
    long = ChangedLine(7, "Ã" * 200, "模型a" * 40, ())
    rows = shown(terminal(no_color=True), long).replace("\x1b[2m", "").replace("\x1b[0m", "").splitlines()[1:]
    assert all(cell_len(row) <= 80 for row in rows)
    assert [row[:4] for row in rows] == ["7 - ", "    ", "    ", "7 + ", "    ", "    "]
    assert "".join(row[4:] for row in rows[3:]) == "模型a" * 40


def test_a_long_line_is_one_line_in_a_pipe() -> None:
    assert f"7 + {'模' * 500}\n" in shown(pipe(), ChangedLine(7, "Ã", "模" * 500, ()))


def test_neither_line_ends_nor_controls_reach_the_terminal() -> None:
    text = shown(pipe(), ChangedLine(1, "Ã\x9b2J\x80\r", "\x1b[2J\t好\r", ()))
    assert "1 - Ã�2J�\n" in text
    assert "\r" not in text
    assert "\x1b" not in text


def hurt_folder(folder: Path) -> Path:
    (folder / "b[").mkdir(parents=True)
    damaged = DAMAGE["cp1252"]("前后两名用户在家中。\n")
    (folder / "[a].md").write_text(f"# Title\n{damaged}", encoding="utf-8")
    (folder / "b[" / "c].md").write_text(f"{damaged}clean\n", encoding="utf-8")
    (folder / "clean.md").write_text("clean\n", encoding="utf-8")
    return folder


def test_a_folder_can_be_looked_at_without_writing_anything(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = hurt_folder(tmp_path / "in")
    assert run(["repair", str(folder), "--diff", "--threshold", "0"]) == 0
    captured = capsys.readouterr()
    legend, *lines = captured.out.splitlines()
    assert captured.err == ""
    assert legend.startswith("Inferred characters: ")
    assert [line for line in lines if " + " in line] == [
        "2 + ⟨前⟩⟨后⟩两⟨名⟩用户在家中。",
        "1 + ⟨前⟩⟨后⟩两⟨名⟩用户在家中。",
    ]
    assert [line for line in lines if "  cp1252" in line][:2] == ["[a].md  cp1252_dropped", "b[/c].md  cp1252_dropped"]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_nothing_to_show_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("clean\n", encoding="utf-8")
    assert run(["repair", str(file), "--diff"]) == 0
    assert capsys.readouterr() == ("a.md: nothing to restore.\n", "")


def test_a_terminal_sees_progress_and_colours(tmp_path: Path) -> None:
    folder = hurt_folder(tmp_path / "in")
    command = [str(Path(sys.executable).with_name("guide")), "repair", str(folder), "--diff"]
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm"}) as guide:
        os.close(theirs)
        seen = b"".join(iter(lambda: read_terminal(ours), b"")).decode()
    os.close(ours)
    assert guide.returncode == 0
    assert seen.index("b[/c].md") < seen.index("100%")  # the last document that the progress bar named
    assert seen.index("100%") < seen.index("\x1b[32m前") < seen.index("Inferred characters")


def read_terminal(descriptor: int) -> bytes:
    """What is written to a terminal; nothing when no process has it open any more."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
