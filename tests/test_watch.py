"""`guide ingest --watch` as a process of its own, on real files."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from kb.store import Store

GUIDE = str(Path(sys.executable).with_name("guide"))


class Watch:
    """A running `guide ingest --watch`; a line that does not come ends it, and the test with it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process, self._out, self._err = process, process.stdout, process.stderr

    def line(self) -> str:
        """The next line of standard output, its columns joined by single spaces."""
        return " ".join(self._next(self._out).split())

    def complaint(self) -> str:
        return self._next(self._err)

    def end(self) -> tuple[int, str]:
        """Interrupts; the exit code, and what was left of both outputs."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60), self._out.read() + self._err.read()

    def _next(self, stream: IO[str]) -> str:
        line = stream.readline()
        assert line, "the process has ended"
        return line


@contextmanager
def watching(home: Path, *arguments: str | Path) -> Iterator[Watch]:
    command = [GUIDE, "ingest", "--watch", "--home", str(home), *map(str, arguments)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as process:
        too_late = threading.Timer(120, process.kill)
        too_late.start()
        try:
            yield Watch(process)
        finally:
            too_late.cancel()
            process.kill()


def names(home: Path) -> list[str]:
    with closing(Store(home)) as store:
        return [info.name for info in store.documents()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "笔记 本"
    folder.mkdir()
    (folder / "a.md").write_text("# 甲\n\n苹果是红色的水果。\n", encoding="utf-8")
    return folder


def test_what_happens_to_the_files_happens_to_the_documents(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with watching(home, folder) as watch:
        assert watch.line() == "added a.md 1 passage"
        assert "Watching" in watch.complaint()

        (folder / "子 夹").mkdir()
        (folder / "子 夹" / "乙.md").write_text("# 乙\n\n香蕉是黄色的水果。\n", encoding="utf-8")
        assert watch.line() == "added 子 夹/乙.md 1 passage"

        (folder / "a.md").write_text("# 甲\n\n苹果也有绿色的。\n", encoding="utf-8")
        assert watch.line() == "changed a.md 1 passage"

        (folder / "a.md").rename(folder / "新 名.md")
        assert watch.line() == "changed 新 名.md 1 passage"

        shutil.copy(folder / "新 名.md", folder / "copy.md")
        (folder / "新 名.md").unlink()
        assert watch.line() == "changed copy.md 1 passage"

        (folder / "copy.md").unlink()
        assert watch.line() == "deleted copy.md"

        shutil.rmtree(folder / "子 夹")
        assert watch.line() == "deleted 子 夹/乙.md"
        assert "no documents" in watch.complaint()

        (folder / "last.md").write_text("# 丙\n", encoding="utf-8")
        assert watch.line() == "added last.md 1 passage"
        assert watch.end() == (0, "")
    assert names(home) == ["last.md"]


def test_a_bad_file_is_named_and_the_rest_goes_on(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with watching(home, folder) as watch:
        watch.line()
        watch.complaint()
        (folder / "bad.md").write_bytes(b"\x00\x01\x02binary" * 50)
        assert "bad.md" in watch.complaint()
        (folder / "b.md").write_text("# 乙\n", encoding="utf-8")
        assert watch.line() == "added b.md 1 passage"
        (folder / "bad.md").write_bytes(b"\x00\x01\x02binary" * 60)
        assert "bad.md" in watch.complaint()
        (folder / "bad.md").write_text("# 好\n", encoding="utf-8")
        assert watch.line() == "added bad.md 1 passage"
        assert watch.end() == (0, "")
    assert names(home) == ["a.md", "b.md", "bad.md"]


def test_a_folder_that_goes_as_a_whole_takes_no_document_along(folder: Path, tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.md").write_text("# 乙\n", encoding="utf-8")
    with watching(home, folder, tmp_path / "other") as watch:
        assert [watch.line(), watch.line()] == ["added a.md 1 passage", "added b.md 1 passage"]
        watch.complaint()
        folder.rename(away)
        assert str(folder) in watch.complaint()
        (tmp_path / "other" / "b.md").unlink()
        assert watch.line() == "deleted b.md"
        watch.end()
    assert names(home) == ["a.md"]


def test_a_file_that_is_replaced_by_another_is_followed(folder: Path, tmp_path: Path) -> None:
    with watching(tmp_path / "home", "--json", folder / "a.md") as watch:
        assert json.loads(watch.line())["documents"][0]["status"] == "added"
        watch.complaint()
        for fruit in ("梨", "桃"):
            (folder / "draft").write_text(f"# {fruit}\n", encoding="utf-8")
            (folder / "draft").replace(folder / "a.md")
            (told,) = json.loads(watch.line())["documents"]
            assert (told["name"], told["status"]) == ("a.md", "changed")
        (folder / "neighbour.md").write_text("# 不相干\n", encoding="utf-8")
        (folder / "a.md").unlink()
        (told,) = json.loads(watch.line())["documents"]
        assert (told["name"], told["status"]) == ("a.md", "deleted")
        assert watch.end() == (0, "")


def test_what_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with watching(tmp_path / "home", tmp_path / "nowhere") as watch:
        assert "nowhere: there is no such file or folder to watch" in watch.complaint()
        assert watch.process.wait(60) == 1
