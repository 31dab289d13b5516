"""Where questions come from, and which can't be asked."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.questions import Question, checked, read_questions
from kb.errors import InputError


def written(folder: Path, *lines: str) -> Path:
    file = folder / "questions.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_questions_keep_order_and_ids(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '{"question": "甲？", "id": "a", "kind": "x"}',
        "",
        '{"question": " b? ", "id": 7}',
        '{"question": "c"}',
    )
    assert read_questions(file, 10) == [Question("甲？", "a"), Question("b?", 7), Question("c", None)]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    file = tmp_path / "marked.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + b'{"question": "a"}')
    assert read_questions(file, 10) == [Question("a")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{'question': 'a'}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["a"]', '"question"'),
        ('{"frage": "a"}', '"question"'),
        ('{"question": 3}', '"question"'),
        ('{"question": "  "}', "empty"),
        ('{"question": "12345678901"}', "GUIDE_MAX_QUESTION_CHARS"),
        ('{"question": "a", "id": ["x"]}', '"id"'),
        ('{"question": "a", "id": true}', '"id"'),
        ('{"question": "\\ud800"}', "UTF-8"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    file = written(tmp_path, '{"question": "fine"}', line)
    with pytest.raises(InputError, match=r"questions\.jsonl, line 2: ") as caught:
        read_questions(file, 10)
    assert reason in str(caught.value)


def test_a_file_without_questions_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no questions"):
        read_questions(written(tmp_path, "", " "), 10)


@pytest.mark.parametrize(("name", "reason"), [("missing.jsonl", "No such file"), ("", "Is a directory")])
def test_a_path_that_is_no_file_says_so(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_questions(tmp_path / name, 10)


def test_a_file_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    file = tmp_path / "gbk.jsonl"
    file.write_bytes('{"question": "什么是提示微调？"}'.encode("gbk"))
    with pytest.raises(InputError, match="not UTF-8"):
        read_questions(file, 100)


def test_the_longest_question_names_its_setting() -> None:
    with pytest.raises(InputError, match=r"100,000 characters; the setting GUIDE_MAX_QUESTION_CHARS allows 4,000"):
        checked("问" * 100_000, 4000)


@given(st.text(min_size=1, max_size=30))
def test_a_question_that_passes_can_be_sent_as_it_is(text: str) -> None:
    try:
        question = checked(text, 30)
    except InputError:
        assert not text.strip() or any("\ud800" <= c <= "\udfff" for c in text)
    else:
        assert question == text.strip()
        assert json.loads(json.dumps(question).encode()) == question
        question.encode()
