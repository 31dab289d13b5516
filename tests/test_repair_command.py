"""`guide repair`: files and folders in, restored files and a report out."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from kb.settings import SOURCES


def mojibake(text: str) -> str:
    """Text whose UTF-8 bytes were read as Latin-1: nothing is lost."""
    return text.encode().decode("latin-1")


CLEAN = "# 提示微调\n\n提示微调只训练少量参数，其余参数都被冻结。\r\n"
WHOLE = "前后两名用户不在家中。\n"
HURT = WHOLE.encode().decode("cp1254", errors="ignore")  # 前, 后, 名 and 不 have lost a byte


def report_of(folder: Path, texts: dict[str, str], *arguments: str) -> Any:
    """Write the texts into a folder, repair it, and give the report."""
    (folder / "in").mkdir()
    for name, text in texts.items():
        (folder / "in" / name).write_bytes(text.encode())
    out, report = folder / "out", folder / "report.json"
    assert run(["repair", str(folder / "in"), "-o", str(out), "--report", str(report), *arguments]) == 0
    return json.loads(report.read_text(encoding="utf-8"))


def test_a_single_file_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(mojibake(CLEAN).encode())
    assert run(["repair", str(file)]) == 0
    assert capsys.readouterr().out == CLEAN


def test_a_single_file_can_go_to_a_file(tmp_path: Path) -> None:
    file, out = tmp_path / "a.md", tmp_path / "new" / "b.md"
    file.write_bytes(mojibake(CLEAN).encode())
    assert run(["repair", str(file), "-o", str(out)]) == 0
    assert out.read_bytes() == CLEAN.encode()


def test_a_folder_goes_to_a_folder_with_the_same_names(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    (source / "clean.md").write_bytes(CLEAN.encode())
    (source / "deep" / "hurt.txt").write_bytes(mojibake(CLEAN).encode())
    (source / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(["repair", str(source), "-o", str(out)]) == 0
    written = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert written == {"clean.md": CLEAN.encode(), "deep/hurt.txt": CLEAN.encode()}


def test_the_report_names_every_repair_with_its_place(tmp_path: Path) -> None:
    source, out, report = SOURCES / "peft_model_reference.md", tmp_path / "out.md", tmp_path / "report.json"
    assert run(["repair", str(source), "-o", str(out), "--report", str(report)]) == 0
    (document,) = json.loads(report.read_text(encoding="utf-8"))["documents"]
    text = out.read_bytes().decode()
    assert document["source"] == str(source)
    assert document["damage"] == ["cp1254_dropped"]
    assert document["repairs"]
    for repair in document["repairs"]:
        assert text[repair["start"] : repair["end"]] == repair["after"]


def test_the_report_counts_what_lost_bytes(tmp_path: Path) -> None:
    texts = {"hurt.md": HURT, "lost.md": "没有\ufffd了锟斤拷。", "clean.md": CLEAN}
    reported = report_of(tmp_path, texts, "--threshold", "0")
    counts = ("source", "damage", "short_of_bytes", "restored", "lost")
    assert [tuple(document[name] for name in counts) for document in reported["documents"]] == [
        (str(tmp_path / "in" / "clean.md"), [], 0, 0, 0),
        (str(tmp_path / "in" / "hurt.md"), ["cp1252_dropped"], 4, 4, 0),
        (str(tmp_path / "in" / "lost.md"), [], 3, 0, 3),
    ]
    assert reported["total"] == {
        "documents": 3,
        "damaged": 1,
        "failed": 0,
        "short_of_bytes": 7,
        "restored": 4,
        "doubtful": 0,
        "lost": 3,
    }


@pytest.mark.parametrize(("threshold", "doubtful"), [("0", False), ("1", True)])
def test_what_is_less_sure_than_the_threshold_is_doubtful(tmp_path: Path, threshold: str, doubtful: bool) -> None:
    reported = report_of(tmp_path, {"hurt.md": HURT}, "--threshold", threshold)
    assert reported["threshold"] == float(threshold)
    (document,) = reported["documents"]
    for repair in document["repairs"]:
        assert repair["doubtful"] == (doubtful and repair["confidence"] < 1)
    assert document["doubtful"] == sum(repair["doubtful"] for repair in document["repairs"])
    assert bool(document["doubtful"]) == doubtful


def test_a_bad_file_is_named_and_the_others_are_repaired(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "empty.md").touch()
    (source / "good.md").write_bytes(CLEAN.encode())
    assert run(["repair", str(source), "-o", str(out)]) == 1
    assert "empty.md" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["good.md"]


@pytest.mark.parametrize("out", ["in", "in/a.md"])
def test_no_document_is_written_over(capsys: pytest.CaptureFixture[str], tmp_path: Path, out: str) -> None:
    file = tmp_path / "in" / "a.md"
    file.parent.mkdir()
    file.write_bytes(mojibake(CLEAN).encode())
    assert run(["repair", str(file), "-o", str(tmp_path / out)]) == 1
    assert "written over" in capsys.readouterr().err
    assert file.read_bytes() == mojibake(CLEAN).encode()


def test_two_documents_of_one_name_do_not_end_up_in_one_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = [tmp_path / "1" / "a.md", tmp_path / "2" / "a.md"]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(CLEAN.encode())
    assert run(["repair", *map(str, files), "-o", str(tmp_path / "out")]) == 1
    assert "written over" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(CLEAN.encode())
    assert run(["repair", str(file), "-o", str(file / "b.md")]) == 1
    assert "can't be written" in capsys.readouterr().err
