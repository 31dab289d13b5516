"""`guide repair`: files and folders in, restored files and a report out."""

import io
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


def give_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_standard_input_is_printed_restored_whatever_its_encoding(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    give_input(monkeypatch, CLEAN.encode(encoding))
    assert run(["repair", "-"]) == 0
    assert capsys.readouterr() == (CLEAN, "")


def test_standard_input_can_go_to_a_file_and_into_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, report = tmp_path / "a.md", tmp_path / "report.json"
    give_input(monkeypatch, HURT.encode())
    assert run(["repair", "-", "-o", str(out), "--report", str(report)]) == 0
    assert out.read_bytes() == WHOLE.encode()
    (document,) = json.loads(report.read_text(encoding="utf-8"))["documents"]
    assert (document["source"], document["restored"]) == ("-", 4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (bytes(range(256)), "not text"), ("大\n".encode() * 5_000_001, "GUIDE_MAX_DOCUMENT_MB")],
    ids=["empty", "binary", "20 MB"],
)
def test_standard_input_that_is_no_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: bytes, reason: str
) -> None:
    give_input(monkeypatch, data)
    assert run(["repair", "-"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("guide: standard input: ")
    assert reason in captured.err


def test_what_was_done_to_a_printed_text_is_told_beside_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(HURT.encode())
    assert run(["repair", str(file), "--threshold", "0"]) == 0
    assert capsys.readouterr() == (
        WHOLE,
        "a.md: mojibake undone (cp1252_dropped); 4 characters had lost bytes: 4 restored.\n",
    )
    assert run(["repair", str(file), "--threshold", "1"]) == 0
    assert "of them doubtful (below 1; --diff shows them)" in capsys.readouterr().err


def test_characters_lost_for_good_are_told_of(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("没有\ufffd了。", encoding="utf-8")
    assert run(["repair", str(file)]) == 0
    assert capsys.readouterr().err == (
        "a.md: nothing to restore; 1 character had lost bytes: 0 restored, 1 lost for good.\n"
    )


def test_a_clean_text_that_is_printed_says_enough_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_bytes(CLEAN.encode())
    assert run(["repair", str(file)]) == 0
    assert capsys.readouterr() == (CLEAN, "")
    assert run(["repair", str(file), "-o", str(tmp_path / "b.md")]) == 0
    assert capsys.readouterr() == ("a.md: nothing to restore.\n", "")


def test_a_folder_ends_with_a_table_of_what_was_damaged(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    texts = {"hurt.md": HURT, "lost.md": "没有\ufffd了锟斤拷。", "clean.md": CLEAN}
    report_of(tmp_path, texts, "--threshold", "0")
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [row for row in rows if not row[0].startswith("─")] == [
        ["document", "damage", "lost", "bytes", "restored", "doubtful", "lost"],
        ["hurt.md", "cp1252_dropped", "4", "4", "0", "0"],
        ["lost.md", "3", "0", "0", "3"],
        ["1", "of", "3", "damaged", "7", "4", "0", "3"],
    ]


def test_a_clean_folder_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report_of(tmp_path, {"a.md": CLEAN, "b.md": CLEAN})
    assert capsys.readouterr().out == "2 documents: nothing to restore.\n"


def test_json_is_the_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = report_of(tmp_path, {"hurt.md": HURT, "clean.md": CLEAN}, "--json")
    captured = capsys.readouterr()
    assert json.loads(captured.out) == report
    assert captured.err == ""
    assert set(report["documents"][0]) >= {"source", "encoding", "damage", "lost", "repairs"}


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
    assert run(["repair", str(source), "-o", str(out), "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"guide: {source / 'empty.md'}: ")
    assert json.loads(captured.out)["total"]["failed"] == 1
    assert [path.name for path in out.iterdir()] == ["good.md"]


@pytest.mark.parametrize("out", ["in", "in/a.md"])
def test_no_document_is_written_over(capsys: pytest.CaptureFixture[str], tmp_path: Path, out: str) -> None:
    file = tmp_path / "in" / "a.md"
    file.parent.mkdir()
    file.write_bytes(mojibake(CLEAN).encode())
    assert run(["repair", str(file), "-o", str(tmp_path / out)]) == 1
    assert "written over" in capsys.readouterr().err
    assert file.read_bytes() == mojibake(CLEAN).encode()


def test_no_document_is_written_over_by_another_or_by_the_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_bytes(mojibake(CLEAN).encode())
    a, b = str(tmp_path / "a.md"), str(tmp_path / "b.md")
    assert run(["repair", a, b, "-o", str(tmp_path)]) == 1
    assert run(["repair", a, "-o", str(tmp_path / "c.md"), "--report", a]) == 1
    assert run(["repair", a, "-o", str(tmp_path / "c.md"), "--report", str(tmp_path / "c.md")]) == 1
    assert capsys.readouterr().err.count("written over") == 3
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.md": mojibake(CLEAN).encode(),
        "b.md": mojibake(CLEAN).encode(),
    }


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
