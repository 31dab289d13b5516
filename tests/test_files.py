"""Files that commands write for the user: whole or not at all."""

import os
import threading
from pathlib import Path

import pytest

from kb.errors import InputError
from kb.files import write_file, written_whole


def test_a_file_and_its_folders_are_written(tmp_path: Path) -> None:
    write_file(tmp_path / "new" / "a.md", b"1")
    write_file(tmp_path / "new" / "a.md", b"2")
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "new").iterdir()] == [("a.md", b"2")]


def test_what_is_interrupted_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.md"
    write_file(file, b"before")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(file, b"after")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.md", b"before")]


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    name = "长" * 84 + ".md"  # 255 bytes
    write_file(tmp_path / name, b"1")
    assert (tmp_path / name).read_bytes() == b"1"


def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_file(pipe, b"1")
    reader.join(60)
    assert read == [b"1"]
    assert pipe.is_fifo()


def test_who_may_read_a_file_is_for_the_user_to_say(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_file(tmp_path / "a.md", b"1")
    finally:
        os.umask(before)
    assert (tmp_path / "a.md").stat().st_mode & 0o777 == 0o600
    (tmp_path / "a.md").chmod(0o640)
    write_file(tmp_path / "a.md", b"2")
    assert (tmp_path / "a.md").stat().st_mode & 0o777 == 0o640


def test_a_folder_keeps_its_other_files_and_gets_none_of_a_block_that_failed(tmp_path: Path) -> None:
    place = tmp_path / "model"
    write_file(place / "README.md", b"mine")
    with written_whole(place) as draft:
        write_file(draft / "model.safetensors", b"1")
    with pytest.raises(InputError, match=r"b\.md: can't be written"), written_whole(place) as draft:
        _write_and_fail(draft)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {
        "README.md": b"mine",
        "model.safetensors": b"1",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a.md")
    write_file(tmp_path / "link", b"1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.md").read_bytes() == b"1"


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written"):
        write_file(tmp_path, b"1")
    write_file(tmp_path / "a.md", b"1")
    with pytest.raises(InputError, match="can't be written"):
        write_file(tmp_path / "a.md" / "b.md", b"2")


def _write_and_fail(folder: Path) -> None:
    write_file(folder / "model.safetensors", b"2")
    write_file(folder / "model.safetensors" / "b.md", b"2")
