"""The questions of one run: given as an argument, piped in, or one JSON object a line in a file."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from kb.errors import InputError


@dataclass(frozen=True)
class Question:
    """A question with the id that its answer is to carry."""

    text: str
    id: str | int | None = None


def checked(text: str, longest: int) -> str:
    """The question without white space around it, if it can be asked.

    Raises:
        InputError: it is empty, longer than `longest` characters, or holds bytes that are not text.
    """
    text = text.strip()
    if not text:
        raise InputError("The question is empty. Write one, in Chinese or English.")
    if len(text) > longest:
        raise InputError(
            f"The question has {len(text):,} characters; the setting GUIDE_MAX_QUESTION_CHARS allows {longest:,}. "
            "Shorten it, or put long text into the knowledge base with `guide ingest`."
        )
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError("The question holds bytes that are not UTF-8 text. Write it in a UTF-8 terminal.")
    return text


def read_questions(file: Path, longest: int) -> list[Question]:
    """All questions of a JSON Lines file (`-`: standard input); blank lines are passed over.

    Raises:
        InputError: there is no such file, or a line of it is no JSON object with a `question` that can be asked.
    """
    if str(file) == "-":
        return _parse(sys.stdin, "standard input", longest)
    try:
        with file.open(encoding="utf-8-sig") as lines:
            return _parse(lines, str(file), longest)
    except OSError as problem:
        raise InputError(f"{file}: {problem.strerror or problem}. Give a JSON Lines file to --questions.") from problem
    except UnicodeDecodeError as problem:
        raise InputError(f"{file}: not UTF-8 at byte {problem.start}. Save the questions as UTF-8.") from problem


def _parse(lines: TextIO, name: str, longest: int) -> list[Question]:
    questions = [_question(line, f"{name}, line {n}", longest) for n, line in enumerate(lines, 1) if line.strip()]
    if not questions:
        raise InputError(f'{name}: no questions. Write one JSON object a line, such as {{"question": "…"}}.')
    return questions


def _question(line: str, where: str, longest: int) -> Question:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"{where}: not JSON ({problem}). Each line is one JSON object.") from problem
    if not isinstance(row, dict) or not isinstance(row.get("question"), str):
        raise InputError(f'{where}: no "question" with a text. Each line is one JSON object that has one.')
    question_id = row.get("id")
    if isinstance(question_id, bool) or not isinstance(question_id, str | int | None):
        raise InputError(f'{where}: "id" is neither a text nor a whole number.')
    try:
        return Question(checked(row["question"], longest), question_id)
    except InputError as problem:
        raise InputError(f"{where}: {problem}") from problem
