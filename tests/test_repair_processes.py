"""`guide repair` with several processes: the same as with one, also when they are cut short."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from api.cli import run
from ingest.batch import restore_files
from ingest.files import Found
from kb.errors import WorkerError
from kb.settings import Settings

CLEAN = "# 提示微调\n\n提示微调只训练少量参数，其余参数都被冻结。\r\n"
HURT = "前后两名用户不在家中。\n".encode().decode("cp1254", errors="ignore")


def test_any_number_of_processes_gives_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.batch.WORTH_A_PROCESS", 1)
    source, report = tmp_path / "in", tmp_path / "report.json"
    source.mkdir()
    for name, data in {"a": HURT * 3, "b": "", "c": CLEAN, "d": HURT * 20, "e": "\0"}.items():
        (source / f"{name}.md").write_bytes(data.encode())
    seen = []
    for jobs in ("1", "2"):
        out = tmp_path / jobs
        assert run(["repair", str(source), "-o", str(out), "--diff", "--report", str(report), "--jobs", jobs]) == 1
        written = {path.name: path.read_bytes() for path in out.iterdir()}
        seen.append((capsys.readouterr(), report.read_bytes(), written))
    assert seen[0] == seen[1]


def test_when_a_process_is_killed_what_was_done_is_kept_and_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, report = tmp_path / "in", tmp_path / "out", tmp_path / "report.json"
    source.mkdir()
    for name in ("a.md", "b.md"):
        (source / name).write_bytes(CLEAN.encode())

    def killed(found: Sequence[Found], settings: Settings, jobs: int) -> Iterator[object]:
        yield from islice(restore_files(found, settings, jobs), 1)
        raise WorkerError("A process was killed.")

    monkeypatch.setattr("api.repairing.restore_files", killed)
    assert run(["repair", str(source), "-o", str(out), "--report", str(report)]) == 1
    assert capsys.readouterr() == ("1 document: nothing to restore.\n", "guide: A process was killed.\n")
    assert [path.name for path in out.iterdir()] == ["a.md"]
    assert json.loads(report.read_text(encoding="utf-8"))["total"]["failed"] == 1


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_quietly_with_no_half_written_file(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    large = CLEAN * 8000  # enough for two processes
    for folder in (source, out):
        folder.mkdir()
    for name in ("a.md", "b.md"):
        (source / name).write_bytes(large.encode())
    os.mkfifo(out / "a.md")  # whoever writes it waits for whoever reads it
    reader = os.open(out / "a.md", os.O_RDONLY | os.O_NONBLOCK)
    command = [str(Path(sys.executable).with_name("guide")), "repair", str(source), "-o", str(out), "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as guide:
        try:
            assert guide.stdout is not None
            select.select([reader, guide.stdout.fileno()], [], [])  # until it writes, or has ended
            os.killpg(guide.pid, signal.SIGINT)
            os.set_blocking(reader, True)
            with os.fdopen(reader, "rb") as written:
                assert 0 < len(written.read()) < len(large.encode())
            assert guide.communicate() == (b"", b"")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(guide.pid, signal.SIGKILL)
    assert guide.returncode == 130
    assert [path.read_bytes() for path in out.iterdir() if path.is_file()] in ([], [large.encode()])
