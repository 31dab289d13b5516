"""Many files restored by several processes: the same as by one, and nothing left behind when it is cut short."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing import active_children
from pathlib import Path

import pytest

from ingest import batch
from ingest.batch import RestoredFile, restore_files
from ingest.files import Found, find_files
from ingest.mojibake import restore
from kb.errors import InputError, WorkerError
from kb.settings import load_settings

SETTINGS = load_settings()
WHOLE = "前后两名用户不在家中。\n加载模型，然后训练。\n"
HURT = WHOLE.encode().decode("cp1254", errors="ignore")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents of several sizes; one of them is no text."""
    for n, times in enumerate((2, 30, 1, 9), 1):
        (tmp_path / f"{n}.md").write_text(HURT * times, encoding="utf-8")
    (tmp_path / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    return tmp_path


@pytest.fixture
def every_process_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "WORTH_A_PROCESS", 1)


def outcomes(folder: Path, jobs: int) -> dict[int, RestoredFile | str]:
    done = restore_files(find_files([folder]), SETTINGS, jobs)
    return {place: str(outcome) if isinstance(outcome, InputError) else outcome for place, outcome in done}


@pytest.mark.usefixtures("every_process_is_worth_it")
def test_two_processes_restore_what_one_does(folder: Path) -> None:
    shared = outcomes(folder, jobs=2)
    assert shared == outcomes(folder, jobs=1)
    for place, times in enumerate((2, 30, 1, 9)):
        done = shared[place]
        assert isinstance(done, RestoredFile)
        assert done.decoded.text == HURT * times
        assert done.restored == restore(HURT * times)
    assert f"{folder / 'picture.md'}: its bytes are not text" in str(shared[4])
    assert active_children() == []


def test_small_files_start_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(batch, "WorkerProcess")
    assert len(outcomes(folder, jobs=8)) == 5


def test_one_large_file_among_small_ones_starts_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(batch, "WorkerProcess")
    (folder / "large.md").write_text("字" * batch.WORTH_A_PROCESS, encoding="utf-8")
    assert len(outcomes(folder, jobs=8)) == 6


@contextmanager
def once_a_process_reads(folder: Path, act: Callable[[], None]) -> Iterator[list[Found]]:
    """The files of `folder` and one more, whose reader waits until the block is left: when there is one, `act`."""
    endless = folder / "endless.md"
    found = [*find_files([folder]), Found(endless, folder, endless.name)]
    os.mkfifo(endless)
    left = threading.Event()

    def meet() -> None:
        with endless.open("wb"):
            act()
            left.wait()

    thread = threading.Thread(target=meet, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        left.set()
        thread.join()


def kill_processes() -> None:
    for process in active_children():
        process.kill()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("every_process_is_worth_it")
def test_a_process_that_is_killed_is_told_of(folder: Path) -> None:
    told = r"A process was killed, .* of 6 documents are not restored\. Run it again with a smaller --jobs\."
    with once_a_process_reads(folder, kill_processes) as found, pytest.raises(WorkerError, match=told):
        list(restore_files(found, SETTINGS, jobs=2))
    assert active_children() == []


@pytest.mark.usefixtures("every_process_is_worth_it", "interruptible")
def test_an_interrupt_ends_the_processes(folder: Path) -> None:
    with once_a_process_reads(folder, interrupt) as found, pytest.raises(KeyboardInterrupt):
        list(restore_files(found, SETTINGS, jobs=2))
    assert active_children() == []


@pytest.mark.usefixtures("every_process_is_worth_it")
def test_leaving_early_ends_the_processes(folder: Path) -> None:
    with closing(restore_files(find_files([folder]), SETTINGS, jobs=2)) as restored:
        next(restored)
    assert active_children() == []
